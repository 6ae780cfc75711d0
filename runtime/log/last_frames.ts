// Finds the last frames of a partition. Offsets may have holes (transaction markers, compaction), so frames
// can only be counted by reading them.
import type { TopicLog } from "./log.ts";

const READ_AT_ONCE = 256;
/** Ranges up to this many offsets are counted by reading. */
const COUNTED = 64;
/** If a range holds too few frames, the next one is this many times as long. */
const GROWTH = 4;

/**
 * The offset from which a partition holds its last `count` frames; the earliest offset if there are fewer.
 *
 * @throws {LogError} like `offsets` and `open`; the signal's reason if it aborts
 */
export async function lastFramesFrom(
  log: TopicLog,
  topic: string,
  partition: number,
  count: number,
  signal?: AbortSignal,
): Promise<number> {
  const { earliest, latest } = await log.offsets(topic, partition);
  if (count <= 0 || earliest >= latest) return latest;
  const reader = await log.reader();
  try {
    for (let span = count;; span *= GROWTH) {
      const from = Math.max(earliest, latest - span);
      const frames = await reader.open(topic, partition, from);
      const offsets: number[] = [];
      for (let more; (more = await frames.read(READ_AT_ONCE, signal, latest)).length > 0;) {
        for (const { offset } of more) if (offset < latest) offsets.push(offset);
        if (frames.position >= latest) break;
      }
      await frames.close();
      if (offsets.length >= count) return offsets[offsets.length - count]!;
      if (from === earliest) return earliest;
    }
  } finally {
    await reader.close();
  }
}

/**
 * Number of frames in a range of offsets: counted for short ranges, which may be all holes, otherwise the
 * number of offsets.
 *
 * @throws {LogError} like `open`; the signal's reason if it aborts
 */
export async function framesBetween(
  log: Pick<TopicLog, "reader">,
  topic: string,
  partition: number,
  { from, to }: { readonly from: number; readonly to: number },
  signal?: AbortSignal,
): Promise<number> {
  if (to <= from || to - from > COUNTED) return Math.max(0, to - from);
  const reader = await log.reader();
  try {
    const frames = await reader.open(topic, partition, from);
    let count = 0;
    for (let more; (more = await frames.read(COUNTED, signal, to)).length > 0;) {
      count += more.length;
    }
    return count;
  } finally {
    await reader.close();
  }
}
