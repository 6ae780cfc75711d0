/**
 * One fetch request and its answer.
 *
 * @module
 */
import { fetchV13 } from "./client.ts";
import type { Connection } from "./connections.ts";
import { PieceCursor } from "./piece_cursor.ts";
import type { AbortedTransaction } from "./record_decoder.ts";
import { READ_COMMITTED } from "./topics.ts";

/** One partition of a fetch request. */
export interface FetchPart {
  readonly topicId: string;
  readonly partition: number;
  readonly offset: number;
  readonly leaderEpoch: number;
  /** Leader epoch of the record before `offset`; −1 when unknown. The broker compares it with its own log. */
  readonly fetchedEpoch: number;
  readonly maxBytes: number;
}

/** What came for one partition. */
export interface FetchedPart {
  readonly topicId: string;
  readonly partition: number;
  readonly errorCode: number;
  /** One past the last committed record. */
  readonly lastStableOffset: number;
  readonly logStart: number;
  readonly aborted: readonly AbortedTransaction[];
  /** Whole record batches, and maybe a part of one. */
  readonly records: Uint8Array;
  /** The broker's log has another history than what was read before `offset`. */
  readonly diverged: boolean;
}

/** Answer to a fetch. */
export interface Fetched {
  readonly errorCode: number;
  readonly parts: readonly FetchedPart[];
}

const FETCH = 1;
const VERSION = 13;
const NO_SESSION = { id: 0, epoch: -1 };

/**
 * Asks for records; the broker answers when there are some, or after `maxWaitMs`.
 *
 * @throws errors of the client when the connection fails.
 */
export function fetchParts(
  connection: Connection,
  parts: readonly FetchPart[],
  { maxWaitMs, maxBytes }: { maxWaitMs: number; maxBytes: number },
): Promise<Fetched> {
  const topics = new Map<string, FetchPart[]>();
  for (const part of parts) {
    const known = topics.get(part.topicId);
    if (known === undefined) topics.set(part.topicId, [part]);
    else known.push(part);
  }
  const request = [...topics].map(([topicId, of]) => ({
    topicId,
    partitions: of.map((part) => ({
      partition: part.partition,
      currentLeaderEpoch: part.leaderEpoch,
      fetchOffset: BigInt(part.offset),
      lastFetchedEpoch: part.fetchedEpoch,
      partitionMaxBytes: part.maxBytes,
    })),
  }));
  return new Promise((resolve, reject) => {
    connection.send<Fetched>(
      FETCH,
      VERSION,
      () =>
        fetchV13.createRequest(
          maxWaitMs,
          1,
          maxBytes,
          READ_COMMITTED,
          NO_SESSION.id,
          NO_SESSION.epoch,
          request,
          [],
          "",
        ),
      (_correlation, _key, _version, reader) => parseFetched(reader.buffer.buffers),
      true,
      true,
      (error, fetched) => error === null ? resolve(fetched!) : reject(error),
    );
  });
}

/** Reads an answer, given in the pieces in which it came. */
export function parseFetched(pieces: readonly Uint8Array[]): Fetched {
  const cursor = new PieceCursor(pieces);
  cursor.skip(4); // throttle time
  const errorCode = cursor.int16();
  cursor.skip(4); // session
  const parts: FetchedPart[] = [];
  for (let topics = cursor.count(); topics > 0; topics--) {
    const topicId = cursor.uuid();
    for (let partitions = cursor.count(); partitions > 0; partitions--) {
      parts.push(parsePart(cursor, topicId));
    }
    cursor.tags();
  }
  return { errorCode, parts };
}

function parsePart(cursor: PieceCursor, topicId: string): FetchedPart {
  const partition = cursor.int32();
  const errorCode = cursor.int16();
  cursor.skip(8); // high watermark
  const lastStableOffset = cursor.int64();
  const logStart = cursor.int64();
  const aborted: AbortedTransaction[] = [];
  for (let count = cursor.count(); count > 0; count--) {
    aborted.push({ producerId: cursor.bigint64(), firstOffset: cursor.int64() });
    cursor.tags();
  }
  cursor.skip(4); // preferred read replica
  const records = cursor.take(cursor.count());
  let diverged = false;
  cursor.tags((tag) => {
    if (tag === 0) diverged = true;
  });
  return {
    topicId,
    partition,
    errorCode,
    lastStableOffset,
    logStart,
    aborted,
    records,
    diverged,
  };
}
