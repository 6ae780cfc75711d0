// Fetching records from the broker that leads their partitions.
import type { Connection, RequestOptions } from "../net/connection.ts";
import { checked } from "../protocol/api.ts";
import { NetworkError } from "../protocol/errors.ts";
import { FETCH, FETCH_BY_NAME, type FetchedPartition } from "../protocol/records.ts";
import { NO_ID, NO_REPLICA, READ_COMMITTED } from "../protocol/topics.ts";

/** One partition to fetch from. */
export interface FetchPartition {
  readonly topic: string;
  readonly topicId: string;
  readonly partition: number;
  readonly offset: number;
  readonly leaderEpoch: number;
  readonly fetchedEpoch: number;
  readonly maxBytes: number;
  /** Fields that only replicas send. */
  readonly logStart: -1;
}

/** Size limits of a request. */
export interface FetchBounds {
  readonly maxWaitMs: number;
  readonly maxBytes: number;
  readonly rack?: string;
}

/** From this version on topics are named by their ids. */
const TOPIC_IDS = 13;

/**
 * Asks for records; the broker answers when there are some, or after `maxWaitMs`.
 *
 * @returns what came for each partition, in their order; undefined for those that found no room in the response.
 * @throws {ResponseError} when the broker refuses the whole request; what `Connection.request` throws.
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
  const response = await connection.ask(api, {
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
  if (errorCode !== 0) checked(FETCH, { errorCode });
  const found = new Map<string, Map<number, FetchedPartition>>();
  for (const { name, topicId, partitions } of response.topics) {
    const of = new Map(partitions.map((one) => [one.partition, one]));
    found.set(byId ? topicId : name, of);
  }
  const fetched = partitions.map((one) => found.get(nameOf(one))?.get(one.partition));
  if (!fetched.some((one) => one !== undefined)) {
    throw new NetworkError("its answer to Fetch is about nothing that was asked for");
  }
  return fetched;
}
