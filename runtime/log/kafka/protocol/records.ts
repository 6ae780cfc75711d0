// Produce and Fetch.
import { api } from "./api.ts";
import {
  array,
  between,
  bigint64,
  bytes,
  type Field,
  hasTag0,
  int16,
  int32,
  int64,
  int8,
  nullableString,
  since,
  string,
  struct,
  untagged,
  uuid,
  type Value,
} from "./fields.ts";
import { NO_ID } from "./topics.ts";

/** Record batches; when read, a view of the response if they are most of it. */
const batches: Field<Uint8Array> = {
  write: bytes.write,
  read: (from, { flexible }) => from.records(flexible),
};

export const PRODUCE = api("Produce", 0, [3, 9], 9, {
  request: struct({
    transactionalId: nullableString,
    acks: int16,
    timeoutMs: int32,
    topics: array(
      struct({ name: string, partitions: array(struct({ partition: int32, batches })) }),
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

const aborted = array(struct({ producerId: bigint64, firstOffset: int64 }));
const fetchedFields = untagged({
  partition: int32,
  errorCode: int16,
  /** One past the last record. */
  highWatermark: int64,
  /** One past the last record before any open transaction. */
  lastStableOffset: int64,
  logStart: since(5, int64, 0),
  /** Aborted transactions: their records from `firstOffset` on must be skipped. */
  aborted,
  /** A nearer replica to fetch from; −1 if there is none. */
  preferredReplica: since(11, int32, -1),
  /** Complete record batches, perhaps followed by an incomplete one. */
  batches,
  /** The log was truncated before the fetch offset. */
  diverged: hasTag0,
});
export type FetchedPartition = Value<typeof fetchedFields>;
/** Written by hand for speed: with many partitions most of a response is empty. */
const fetched: Field<FetchedPartition> = {
  write: fetchedFields.write,
  read: (from, as) => ({
    partition: from.int32(),
    errorCode: from.int16(),
    highWatermark: from.int64(),
    lastStableOffset: from.int64(),
    logStart: as.version >= 5 ? from.int64() : 0,
    aborted: aborted.read(from, as),
    preferredReplica: as.version >= 11 ? from.int32() : -1,
    batches: batches.read(from, as),
    diverged: hasTag0.read(from, as),
  }),
};

/** The broker responds when there are records, or after `maxWaitMs`. */
export const FETCH = api("Fetch", 1, [4, 13], 12, {
  request: struct({
    replicaId: int32,
    maxWaitMs: int32,
    minBytes: int32,
    /** Limits the response, but never its first batch. */
    maxBytes: int32,
    isolationLevel: int8,
    sessionId: since(7, int32, 0),
    sessionEpoch: since(7, int32, -1),
    topics: array(struct({
      name: between(0, 12, string, ""),
      topicId: since(13, uuid, NO_ID),
      partitions: array(struct({
        partition: int32,
        leaderEpoch: since(9, int32, -1),
        offset: int64,
        /** Leader epoch of the record before `offset`, to detect truncation; −1 if unknown. */
        fetchedEpoch: since(12, int32, -1),
        logStart: since(5, int64, -1),
        maxBytes: int32,
      })),
    })),
    forgotten: since<readonly string[]>(7, array(string), []),
    rack: since(11, string, ""),
  }),
  response: struct({
    throttleTimeMs: int32,
    errorCode: since(7, int16, 0),
    sessionId: since(7, int32, 0),
    topics: array(struct({
      name: between(0, 12, string, ""),
      topicId: since(13, uuid, NO_ID),
      partitions: array(fetched),
    })),
  }),
});

/** For topics without an id: later versions identify topics by id only. */
export const FETCH_BY_NAME: typeof FETCH = { ...FETCH, versions: [4, 12] };

export type AbortedTransaction = FetchedPartition["aborted"][number];
