// Fetch requests.
import type { Connection, RequestOptions } from "../net/connection.ts";
import { checked } from "../protocol/api.ts";
import { FETCH, FETCH_BY_NAME, type FetchedPartition } from "../protocol/records.ts";
import { NO_ID, NO_REPLICA, READ_COMMITTED } from "../protocol/topics.ts";

export interface FetchPartition {
  readonly topic: string;
  readonly topicId: string;
  readonly partition: number;
  readonly offset: number;
  readonly leaderEpoch: number;
  readonly fetchedEpoch: number;
  readonly maxBytes: number;
  /** Used by replicas only. */
  readonly logStart: -1;
}

export interface FetchBounds {
  readonly maxWaitMs: number;
  readonly maxBytes: number;
  readonly rack?: string | undefined;
}

/** First version that identifies topics by id. */
const TOPIC_IDS = 13;

/**
 * The broker responds when there are records, or after `maxWaitMs`.
 *
 * @returns results in the order of `partitions`; undefined for those that the response does not contain
 * @throws {ResponseError} also what `Connection.request` throws
 */
export async function fetchPartitions(
  connection: Connection,
  partitions: readonly FetchPartition[],
  { maxWaitMs, maxBytes, rack = "" }: FetchBounds,
  options: RequestOptions = {},
): Promise<(FetchedPartition | undefined)[]> {
  const api = partitions.some(({ topicId }) => topicId === NO_ID) ? FETCH_BY_NAME : FETCH;
  const byId = connection.versions.of(api) >= TOPIC_IDS;
  const nameOf = (one: FetchPartition) => byId ? one.topicId : one.topic;
  const topics = [...Map.groupBy(partitions, nameOf)]
    .map(([name, of]) => ({ name, topicId: name, partitions: of }));
  const response = await connection.callUnchecked(api, {
    replicaId: NO_REPLICA,
    maxWaitMs,
    minBytes: 1,
    maxBytes,
    isolationLevel: READ_COMMITTED,
    sessionId: 0,
    sessionEpoch: -1,
    topics,
    forgotten: [],
    rack,
  }, { ...options, extraMs: maxWaitMs });
  const { errorCode } = response;
  if (errorCode !== 0) checked({ errorCode });
  const found = new Map<string, Map<number, FetchedPartition>>();
  for (const { name, topicId, partitions } of response.topics) {
    const of = new Map(partitions.map((one) => [one.partition, one]));
    found.set(byId ? topicId : name, of);
  }
  const fetched = partitions.map((one) => found.get(nameOf(one))?.get(one.partition));
  if (!fetched.some((one) => one !== undefined)) {
    throw connection.malformed("Fetch has none of the requested partitions");
  }
  return fetched;
}
