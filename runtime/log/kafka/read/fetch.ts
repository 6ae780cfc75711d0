/**
 * Fetching records from the broker that leads their partitions.
 *
 * @module
 */
import type { Connection, RequestOptions } from "../net/connection.ts";
import {
  FETCH,
  type FetchBounds,
  type Fetched,
  type FetchPartition,
  fetchVersion,
  readFetched,
  writeFetch,
} from "../protocol/fetch.ts";

/** Response to a fetch, and the version that was spoken. */
export interface VersionedFetch extends Fetched {
  readonly version: number;
}

/**
 * Asks for records; the broker answers when there are some, or after `maxWaitMs`.
 *
 * @throws what `Connection.request` throws.
 */
export async function fetchPartitions(
  connection: Connection,
  partitions: readonly FetchPartition[],
  bounds: FetchBounds,
  options: RequestOptions = {},
): Promise<VersionedFetch> {
  const version = fetchVersion(connection.versions.of(FETCH), partitions);
  const fetched = await connection.request(
    { name: FETCH.name, key: FETCH.key, version, flexible: version >= FETCH.flexible },
    (to) => writeFetch(to, partitions, bounds, version),
    (from) => readFetched(from, version),
    { ...options, extraMs: bounds.maxWaitMs },
  );
  connection.throttle(fetched.throttleTimeMs);
  return { ...fetched, version };
}
