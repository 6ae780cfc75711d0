// The requests that carry record batches.
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

/** Record batches: on reading a view of the response if they are most of it. */
const batches: Field<Uint8Array> = {
  write: bytes.write,
  read: (from, { flexible }) => from.records(flexible),
};

export const PRODUCE = api("Produce", 0, [3, 9], 9, {
  request: struct({
    transactionalId: nullableString,
    acks: int16,
    /** How long the broker waits for replicas. */
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
  /** One past the last record that there is, committed or not. */
  highWatermark: int64,
  /** One past the last committed record. */
  lastStableOffset: int64,
  logStart: since(5, int64, 0),
  /** Transactions that were aborted: their records from `firstOffset` on are not to be seen. */
  aborted,
  /** The replica to fetch from, as it is nearer; −1 if there is none. */
  preferredReplica: since(11, int32, -1),
  /** Whole record batches, and maybe the beginning of one more. */
  batches,
  /** The broker's log has another history than what was read before `offset`. */
  diverged: hasTag0,
});
/** What came for one partition. */
export type FetchedPartition = Value<typeof fetchedFields>;
/** With many partitions each response has most of them empty: their fields are read without the table. */
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

/** Asks for records; the broker answers when there are some, or after `maxWaitMs`. */
export const FETCH = api("Fetch", 1, [4, 13], 12, {
  request: struct({
    replicaId: int32,
    maxWaitMs: int32,
    minBytes: int32,
    /** Of the whole response; the first batch comes whatever its size. */
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
        /** Leader epoch of the record before `offset`; −1 when unknown. The broker compares it with its own log. */
        fetchedEpoch: since(12, int32, -1),
        logStart: since(5, int64, -1),
        maxBytes: int32,
      })),
    })),
    forgotten: since<readonly string[]>(7, array(string), []),
    /** Where the client is: a replica there is preferred. */
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

/** The same for topics without an id, which later versions cannot name. */
export const FETCH_BY_NAME: typeof FETCH = { ...FETCH, versions: [4, 12] };

/** A transaction that was aborted. */
export type AbortedTransaction = FetchedPartition["aborted"][number];
