/**
 * One fetch request, written and read by hand.
 *
 * @module
 */
import type { Spoken } from "./api.ts";
import { NO_ID, NO_REPLICA, READ_COMMITTED } from "./topics.ts";
import type { RequestWriter, ResponseReader } from "./wire.ts";

/** A transaction that was aborted: its records from `firstOffset` on are not to be seen. */
export interface AbortedTransaction {
  readonly producerId: bigint;
  readonly firstOffset: number;
}

/** One partition of a fetch request. */
export interface FetchPartition {
  readonly topic: string;
  readonly topicId: string;
  readonly partition: number;
  readonly offset: number;
  readonly leaderEpoch: number;
  /** Leader epoch of the record before `offset`; −1 when unknown. The broker compares it with its own log. */
  readonly fetchedEpoch: number;
  readonly maxBytes: number;
}

/** What came for one partition. */
export interface FetchedPartition {
  /** The topic's id, or its name from a broker that has no ids. */
  readonly topic: string;
  readonly partition: number;
  readonly errorCode: number;
  /** One past the last record that there is, committed or not. */
  readonly highWatermark: number;
  /** One past the last committed record. */
  readonly lastStableOffset: number;
  readonly logStart: number;
  readonly aborted: readonly AbortedTransaction[];
  /** The replica to fetch from, as it is nearer; −1 if there is none. */
  readonly preferredReplica: number;
  /** Whole record batches, and maybe the beginning of one more. */
  readonly records: Uint8Array;
  /** The broker's log has another history than what was read before `offset`. */
  readonly diverged: boolean;
}

/** Response to a fetch. */
export interface Fetched {
  readonly throttleTimeMs: number;
  readonly errorCode: number;
  readonly partitions: readonly FetchedPartition[];
}

/** How much is asked for. */
export interface FetchBounds {
  /** The broker answers after this time although there is nothing. */
  readonly maxWaitMs: number;
  /** Of the whole response; the first batch comes whatever its size. */
  readonly maxBytes: number;
  /** Where the client is: a replica there is preferred. */
  readonly rack?: string;
}

export const FETCH: Spoken = { name: "Fetch", key: 1, versions: [4, 13], flexible: 12 };
/** From this version on topics are named by their ids. */
const TOPIC_IDS = 13;
const NO_SESSION = { id: 0, epoch: -1 };

/** The version to speak when a broker knows this one: topics without an id are named by their names. */
export function fetchVersion(highest: number, partitions: readonly FetchPartition[]): number {
  const named = highest >= TOPIC_IDS && partitions.some(({ topicId }) => topicId === NO_ID);
  return named ? TOPIC_IDS - 1 : highest;
}

/** What a partition's topic is called in a fetch of this version. */
export function fetchTopic(
  { topic, topicId }: Pick<FetchPartition, "topic" | "topicId">,
  version: number,
): string {
  return version >= TOPIC_IDS ? topicId : topic;
}

/** Writes the request. */
export function writeFetch(
  to: RequestWriter,
  partitions: readonly FetchPartition[],
  { maxWaitMs, maxBytes, rack = "" }: FetchBounds,
  version: number,
): void {
  const compact = version >= FETCH.flexible;
  to.int32(NO_REPLICA).int32(maxWaitMs).int32(1).int32(maxBytes).int8(READ_COMMITTED);
  if (version >= 7) to.int32(NO_SESSION.id).int32(NO_SESSION.epoch);
  const count = (length: number) => compact ? to.count(length) : to.int32(length);
  const text = (value: string) => compact ? to.string(value) : to.string16(value);
  const topics = Map.groupBy(partitions, (one) => fetchTopic(one, version));
  count(topics.size);
  for (const [topic, of] of topics) {
    if (version >= TOPIC_IDS) to.uuid(topic);
    else text(topic);
    count(of.length);
    for (const { partition, leaderEpoch, offset, fetchedEpoch, maxBytes } of of) {
      to.int32(partition);
      if (version >= 9) to.int32(leaderEpoch);
      to.int64(offset);
      if (version >= 12) to.int32(fetchedEpoch);
      if (version >= 5) to.int64(-1); // start of a replica's log
      to.int32(maxBytes);
      if (compact) to.noTags();
    }
    if (compact) to.noTags();
  }
  if (version >= 7) count(0); // forgotten topics
  if (version >= 11) text(rack);
  if (compact) to.noTags();
}

/** Reads the response. */
export function readFetched(from: ResponseReader, version: number): Fetched {
  const compact = version >= FETCH.flexible;
  const count = () => compact ? from.count() : Math.max(0, from.int32());
  const throttleTimeMs = from.int32();
  const errorCode = version >= 7 ? from.int16() : 0;
  if (version >= 7) from.skip(4); // session
  const partitions: FetchedPartition[] = [];
  for (let topics = count(); topics > 0; topics--) {
    const topic = version >= TOPIC_IDS ? from.uuid() : (compact ? from.string() : from.string16());
    for (let left = count(); left > 0; left--) {
      partitions.push(readPartition(from, topic, version));
    }
    if (compact) from.tags();
  }
  if (compact) from.tags();
  return { throttleTimeMs, errorCode, partitions };
}

function readPartition(from: ResponseReader, topic: string, version: number): FetchedPartition {
  const compact = version >= FETCH.flexible;
  const partition = from.int32();
  const errorCode = from.int16();
  const highWatermark = from.int64();
  const lastStableOffset = from.int64();
  const logStart = version >= 5 ? from.int64() : 0;
  const readAborted = () => ({ producerId: from.bigint64(), firstOffset: from.int64() });
  const aborted = compact ? from.structs(readAborted) : from.list32(readAborted);
  const preferredReplica = version >= 11 ? from.int32() : -1;
  const records = from.records(compact);
  let diverged = false;
  if (compact) {
    from.tags((tag) => {
      if (tag === 0) diverged = true;
    });
  }
  return {
    topic,
    partition,
    errorCode,
    highWatermark,
    lastStableOffset,
    logStart,
    aborted,
    preferredReplica,
    records,
    diverged,
  };
}
