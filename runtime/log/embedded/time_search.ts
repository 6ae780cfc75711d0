// Finds the offset for a time: the newest times of segments and chunks are a sparse index; then one
// chunk is searched.
import { chunkColumns, type ChunkRow, openChunk, type Store } from "./records.ts";
import { offsetLimit, placeId } from "./schema.ts";
import { SegmentCursor } from "./segment_cursor.ts";

/**
 * The first offset of a partition with a timestamp at or after `time`; the latest offset if there is none.
 */
export function offsetForTime({ dir, db, topics }: Store, id: number, time: number): number {
  const { earliest, latest } = topics.range(id);
  const cursor = new SegmentCursor(dir, db);
  try {
    let found = latest;
    let after: [first: number, segment: number] = [-1, -1];
    // Segments of several writers overlap: an earlier one may hold later offsets.
    while (true) {
      const row = db.get<[number, number, number | null]>(
        `SELECT id, first, next FROM segments WHERE partition = ? AND (first, id) > (?, ?)
         AND (next IS NULL OR next > ? AND max_time >= ?) ORDER BY first, id LIMIT 1`,
        ...[id, ...after, earliest, time],
      );
      if (row === undefined || row[1] >= found) return found;
      const [segment, first, next] = row;
      const tail = db.tails.read(id);
      const end = Math.min(next ?? offsetLimit - 1, tail.open?.first ?? offsetLimit - 1);
      after = [first, segment];
      const chunks = db.all<ChunkRow>(
        `SELECT ${chunkColumns} FROM chunks WHERE id >= (
           SELECT coalesce(max(id), 0) FROM chunks WHERE id >= ${placeId} AND id <= ${placeId}
         ) AND id < ${placeId} AND segment = ? AND max_time >= ? ORDER BY id LIMIT 2`,
        ...[id, 0, id, Math.max(first, earliest), id, end, segment, time],
      );
      chunks.push(
        ...openChunk(tail).filter(([, , its, , , newest]) => its === segment && newest >= time),
      );
      // The first chunk may begin, or end, before the earliest offset.
      for (const chunk of chunks) {
        const offset = inChunk(cursor, chunk, time, earliest);
        if (offset !== undefined) {
          found = Math.min(found, offset);
          break;
        }
      }
    }
  } finally {
    cursor.close();
  }
}

/** Reads the heads alone. A record whose head is damaged may be the one. */
function inChunk(
  cursor: SegmentCursor,
  chunk: ChunkRow,
  time: number,
  earliest: number,
): number | undefined {
  const [first, count] = chunk;
  if (count === 1) return first >= earliest ? first : undefined;
  let next = first;
  for (const { offset, time: its } of cursor.heads(chunk)) {
    if (offset >= earliest && its >= time) return offset;
    next = offset + 1;
  }
  const unread = Math.max(next, earliest);
  return unread < first + count ? unread : undefined;
}
