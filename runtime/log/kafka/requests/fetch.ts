/**
 * One fetch request and its answer.
 *
 * @module
 */
import type { Connection } from "../connection.ts";
import type { AbortedTransaction } from "../record_decoder.ts";
import type { AnswerReader, RequestWriter } from "../wire.ts";
import { READ_COMMITTED } from "./cluster.ts";

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

/** How much is asked for. */
export interface FetchBounds {
  /** The broker answers after so long although there is nothing. */
  readonly maxWaitMs: number;
  /** Of the whole answer; the first batch comes whatever its size. */
  readonly maxBytes: number;
}

const FETCH = { key: 1, version: 13 };
const NO_REPLICA = -1;
const NO_SESSION = { id: 0, epoch: -1 };

/**
 * Asks for records; the broker answers when there are some, or after `maxWaitMs`.
 *
 * @throws errors of the client when the connection fails.
 */
export function fetchParts(
  connection: Connection,
  parts: readonly FetchPart[],
  bounds: FetchBounds,
): Promise<Fetched> {
  return connection.request(FETCH, (to) => writeFetch(to, parts, bounds), readFetched);
}

/** Writes the request. */
export function writeFetch(
  to: RequestWriter,
  parts: readonly FetchPart[],
  { maxWaitMs, maxBytes }: FetchBounds,
): void {
  to.int32(NO_REPLICA).int32(maxWaitMs).int32(1).int32(maxBytes); // from one byte on
  to.int8(READ_COMMITTED).int32(NO_SESSION.id).int32(NO_SESSION.epoch);
  const topics = Map.groupBy(parts, ({ topicId }) => topicId);
  to.structs([...topics], ([topicId, of]) => {
    to.uuid(topicId).structs(of, ({ partition, leaderEpoch, offset, fetchedEpoch, maxBytes }) => {
      to.int32(partition).int32(leaderEpoch).int64(offset).int32(fetchedEpoch);
      to.int64(-1).int32(maxBytes); // start of a replica's log
    });
  });
  to.count(0).count(0).noTags(); // forgotten topics, rack
}

/** Reads the answer. */
export function readFetched(from: AnswerReader): Fetched {
  from.skip(4); // throttle time
  const errorCode = from.int16();
  from.skip(4); // session
  const parts: FetchedPart[] = [];
  from.structs(() => {
    const topicId = from.uuid();
    for (let partitions = from.count(); partitions > 0; partitions--) {
      parts.push(readPart(from, topicId));
    }
  });
  from.tags();
  return { errorCode, parts };
}

function readPart(from: AnswerReader, topicId: string): FetchedPart {
  const partition = from.int32();
  const errorCode = from.int16();
  from.skip(8); // high watermark
  const lastStableOffset = from.int64();
  const logStart = from.int64();
  const aborted = from.structs(() => ({
    producerId: from.bigint64(),
    firstOffset: from.int64(),
  }));
  from.skip(4); // preferred read replica
  const records = from.records();
  let diverged = false;
  from.tags((tag) => {
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
