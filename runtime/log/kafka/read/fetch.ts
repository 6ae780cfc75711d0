// Fetch requests.
import type { Connection } from "../net/connection.ts";
import { checked } from "../protocol/api.ts";
import {
  FETCH,
  FETCH_BY_NAME,
  type FetchBounds,
  type FetchedPartition,
  type FetchPartition,
  readFetched,
  TOPIC_IDS,
  writeFetch,
} from "../protocol/records.ts";
import { NO_ID } from "../protocol/topics.ts";

/**
 * The broker responds when there are records, or after `maxWaitMs`.
 *
 * @returns results in the order of `partitions`; undefined for those that the response does not contain
 * @throws {ResponseError} also what `Connection.request` throws
 */
export async function fetchPartitions(
  connection: Connection,
  partitions: readonly FetchPartition[],
  bounds: FetchBounds,
  signal?: AbortSignal,
): Promise<(FetchedPartition | undefined)[]> {
  const api = partitions.some(({ topicId }) => topicId === NO_ID) ? FETCH_BY_NAME : FETCH;
  const call = connection.versions.call(api);
  const { version } = call;
  const response = await connection.request(
    call,
    (to) => writeFetch(to, version, partitions, bounds),
    (from) => readFetched(from, version),
    { signal, extraMs: bounds.maxWaitMs },
  );
  const { errorCode, throttleTimeMs } = response;
  connection.throttle(throttleTimeMs);
  if (errorCode !== 0) checked({ errorCode });
  const fetched = partitions.map(({ topic, topicId, partition }, index) => {
    const name = version >= TOPIC_IDS ? topicId : topic;
    const found = (one: FetchedPartition) => one.partition === partition && one.topic === name;
    // Brokers keep the order.
    const expected = response.partitions[index];
    return expected !== undefined && found(expected) ? expected : response.partitions.find(found);
  });
  if (!fetched.some((one) => one !== undefined)) {
    throw connection.malformed("Fetch has none of the requested partitions");
  }
  return fetched;
}
