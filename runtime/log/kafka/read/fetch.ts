// Fetch, by hand: it runs for each frame, and a table of fields would make garbage for each of them.
import type { Connection } from "../net/connection.ts";
import { type AnyApi, checked } from "../protocol/api.ts";
import { byTopic } from "../protocol/groups.ts";
import { NO_ID, NO_REPLICA, READ_COMMITTED } from "../protocol/topics.ts";
import type { RequestWriter, ResponseReader } from "../protocol/wire.ts";
import type { AbortedTransaction } from "../records/decoder.ts";

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

const MIN_BYTES = 1;
const DIVERGING_EPOCH_TAG = 0;

/**
 * @returns results in the order of `partitions`; undefined for those that the response does not contain
 * @throws {ResponseError} also what `Connection.request` throws
 */
export function fetchPartitions(
  connection: Connection,
  partitions: readonly FetchPartition[],
  bounds: FetchBounds,
  signal?: AbortSignal,
): Promise<(FetchedPartition | undefined)[]> {
  const api = partitions.some(({ topicId }) => topicId === NO_ID) ? FETCH_BY_NAME : FETCH;
  const call = connection.versions.call(api);
  const { version } = call;
  return connection.request(
    call,
    (to) => writeFetch(to, version, partitions, bounds),
    (from) => {
      const { throttleTimeMs, errorCode, partitions: fetched } = readFetched(from, version);
      connection.throttle(throttleTimeMs);
      if (errorCode !== 0) checked({ errorCode });
      return inOrder(fetched, partitions, version >= TOPIC_IDS);
    },
    { signal, extraMs: bounds.maxWaitMs },
  );
}

function inOrder(
  fetched: readonly FetchedPartition[],
  partitions: readonly FetchPartition[],
  byId: boolean,
): (FetchedPartition | undefined)[] {
  return partitions.map(({ topic, topicId, partition }, index) => {
    const isIt = (one: FetchedPartition) =>
      one.partition === partition && one.topic === (byId ? topicId : topic);
    // Brokers keep the order.
    const expected = fetched[index];
    return expected !== undefined && isIt(expected) ? expected : fetched.find(isIt);
  });
}

export function writeFetch(
  to: RequestWriter,
  version: number,
  partitions: readonly FetchPartition[],
  { maxWaitMs, maxBytes, rack = "" }: FetchBounds,
): void {
  const flexible = version >= FETCH.flexible;
  to.int32(NO_REPLICA).int32(maxWaitMs).int32(MIN_BYTES).int32(maxBytes).int8(READ_COMMITTED);
  if (version >= 7) to.int32(0).int32(-1); // no session
  const byId = version >= TOPIC_IDS;
  const topics = byTopic(partitions, ({ topic, topicId }) => byId ? topicId : topic);
  to.count(topics.length, flexible);
  for (const { name, partitions } of topics) {
    if (byId) to.uuid(name);
    else to.string(name, flexible);
    to.count(partitions.length, flexible);
    for (const one of partitions) {
      to.int32(one.partition);
      if (version >= 9) to.int32(one.leaderEpoch);
      to.int64(one.offset);
      if (version >= 12) to.int32(one.fetchedEpoch);
      if (version >= 5) to.int64(-1); // start of a replica's log
      to.int32(one.maxBytes);
      if (flexible) to.noTags();
    }
    if (flexible) to.noTags();
  }
  if (version >= 7) to.count(0, flexible); // forgotten topics
  if (version >= 11) to.string(rack, flexible);
  if (flexible) to.noTags();
}

export function readFetched(from: ResponseReader, version: number) {
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
