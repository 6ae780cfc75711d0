// Produce and Fetch.
import { type AnyApi, api } from "./api.ts";
import {
  array,
  bytes,
  int16,
  int32,
  int64,
  nullableString,
  since,
  string,
  struct,
} from "./fields.ts";
import { NO_REPLICA, READ_COMMITTED } from "./topics.ts";
import type { RequestWriter, ResponseReader } from "./wire.ts";

export const PRODUCE = api("Produce", 0, [3, 9], 9, {
  request: struct({
    transactionalId: nullableString,
    acks: int16,
    timeoutMs: int32,
    topics: array(
      struct({ name: string, partitions: array(struct({ partition: int32, batches: bytes })) }),
    ),
  }),
  response: struct({
    topics: array(struct({
      name: string,
      partitions: array(struct({
        partition: int32,
        errorCode: int16,
        offset: int64,
        appendTime: int64,
        logStart: since(5, int64, -1),
        recordErrors: since(8, array(struct({ index: int32, message: nullableString })), []),
        errorMessage: since(8, nullableString, null),
      })),
    })),
    throttleTimeMs: int32,
  }),
});

/** The broker responds when there are records, or after `maxWaitMs`. */
export const FETCH: AnyApi = { name: "Fetch", key: 1, versions: [4, 13], flexible: 12 };
/** For topics without an id: later versions identify topics by id only. */
export const FETCH_BY_NAME: AnyApi = { ...FETCH, versions: [4, 12] };
/** First version that identifies topics by id. */
export const TOPIC_IDS = 13;

export interface FetchPartition {
  readonly topic: string;
  readonly topicId: string;
  readonly partition: number;
  readonly offset: number;
  readonly leaderEpoch: number;
  /** Leader epoch of the record before `offset`, to detect truncation; −1 if unknown. */
  readonly fetchedEpoch: number;
  readonly maxBytes: number;
}

export interface FetchBounds {
  readonly maxWaitMs: number;
  /** Limits the response, but never its first batch. */
  readonly maxBytes: number;
  readonly rack?: string | undefined;
}

export interface FetchedPartition {
  /** Its id since version 13, its name before. */
  readonly topic: string;
  readonly partition: number;
  readonly errorCode: number;
  /** One past the last record. */
  readonly highWatermark: number;
  /** One past the last record before any open transaction. */
  readonly lastStableOffset: number;
  readonly aborted: readonly AbortedTransaction[];
  /** A nearer replica to fetch from; −1 if there is none. */
  readonly preferredReplica: number;
  /** Complete record batches, perhaps followed by an incomplete one; see `ResponseReader.records`. */
  readonly batches: Uint8Array;
  /** The log was truncated before the fetch offset. */
  readonly diverged: boolean;
}

/** Its records from `firstOffset` on must be skipped. */
export interface AbortedTransaction {
  readonly producerId: bigint;
  readonly firstOffset: number;
}

export interface Fetched {
  readonly throttleTimeMs: number;
  readonly errorCode: number;
  readonly partitions: readonly FetchedPartition[];
}

const MIN_BYTES = 1;
const NO_SESSION = { id: 0, epoch: -1 };
/** Set by replicas only. */
const NO_LOG_START = -1;
const DIVERGING_EPOCH_TAG = 0;

/** By hand, as `readFetched`: these two run for each frame, and a table makes garbage for each field. */
export function writeFetch(
  to: RequestWriter,
  version: number,
  partitions: readonly FetchPartition[],
  { maxWaitMs, maxBytes, rack = "" }: FetchBounds,
): void {
  const flexible = version >= FETCH.flexible;
  to.int32(NO_REPLICA).int32(maxWaitMs).int32(MIN_BYTES).int32(maxBytes).int8(READ_COMMITTED);
  if (version >= 7) to.int32(NO_SESSION.id).int32(NO_SESSION.epoch);
  const topics = byTopic(partitions);
  to.count(topics.length, flexible);
  for (const of of topics) {
    if (version >= TOPIC_IDS) to.uuid(of[0]!.topicId);
    else to.string(of[0]!.topic, flexible);
    to.count(of.length, flexible);
    for (const one of of) {
      to.int32(one.partition);
      if (version >= 9) to.int32(one.leaderEpoch);
      to.int64(one.offset);
      if (version >= 12) to.int32(one.fetchedEpoch);
      if (version >= 5) to.int64(NO_LOG_START);
      to.int32(one.maxBytes);
      if (flexible) to.noTags();
    }
    if (flexible) to.noTags();
  }
  const forgotten = 0;
  if (version >= 7) to.count(forgotten, flexible);
  if (version >= 11) to.string(rack, flexible);
  if (flexible) to.noTags();
}

function byTopic(partitions: readonly FetchPartition[]): (readonly FetchPartition[])[] {
  const [first] = partitions;
  return partitions.every(({ topic }) => topic === first!.topic)
    ? [partitions]
    : [...Map.groupBy(partitions, ({ topic }) => topic).values()];
}

export function readFetched(from: ResponseReader, version: number): Fetched {
  const flexible = version >= FETCH.flexible;
  const throttleTimeMs = from.int32();
  const errorCode = version >= 7 ? from.int16() : 0;
  if (version >= 7) from.int32(); // session
  const partitions: FetchedPartition[] = [];
  for (let topics = from.count(flexible); topics > 0; topics--) {
    const topic = version >= TOPIC_IDS ? from.uuid() : from.string(flexible);
    for (let left = from.count(flexible); left > 0; left--) {
      partitions.push(readPartition(from, version, topic));
    }
    if (flexible) from.tags();
  }
  if (flexible) from.tags();
  return { throttleTimeMs, errorCode, partitions };
}

function readPartition(from: ResponseReader, version: number, topic: string): FetchedPartition {
  const flexible = version >= FETCH.flexible;
  const partition = from.int32();
  const errorCode = from.int16();
  const highWatermark = from.int64();
  const lastStableOffset = from.int64();
  if (version >= 5) from.int64(); // start of the log
  return {
    topic,
    partition,
    errorCode,
    highWatermark,
    lastStableOffset,
    aborted: from.list(() => readAborted(from, flexible), flexible),
    preferredReplica: version >= 11 ? from.int32() : -1,
    batches: from.records(flexible),
    diverged: flexible && from.tags(DIVERGING_EPOCH_TAG),
  };
}

function readAborted(from: ResponseReader, flexible: boolean): AbortedTransaction {
  const transaction = { producerId: from.bigint64(), firstOffset: from.int64() };
  if (flexible) from.tags();
  return transaction;
}
