// Fetch as a table of fields. Framelane writes and reads it by hand, for speed; brokers of the tests, and
// the test of that, use this table.
import { api } from "../../runtime/log/kafka/protocol/api.ts";
import {
  array,
  between,
  bigint64,
  bytes,
  type Field,
  int16,
  int32,
  int64,
  int8,
  since,
  string,
  struct,
  uuid,
} from "../../runtime/log/kafka/protocol/fields.ts";
import { NO_ID } from "../../runtime/log/kafka/protocol/topics.ts";
import { FETCH } from "../../runtime/log/kafka/read/fetch.ts";

const NO_TAGS = new Uint8Array([0]);
/** Tag 0, empty. */
const DIVERGED = new Uint8Array([1, 0, 0]);
const head = {
  partition: int32,
  errorCode: int16,
  highWatermark: int64,
  lastStableOffset: int64,
  logStart: since(5, int64, 0),
  aborted: array(struct({ producerId: bigint64, firstOffset: int64 })),
  preferredReplica: since(11, int32, -1),
  batches: bytes,
};

/** What a broker has for a partition. */
export interface Partition {
  readonly partition: number;
  readonly errorCode: number;
  readonly highWatermark: number;
  readonly lastStableOffset: number;
  readonly logStart: number;
  readonly aborted: readonly { readonly producerId: bigint; readonly firstOffset: number }[];
  readonly preferredReplica: number;
  readonly batches: Uint8Array;
  readonly diverged: boolean;
}

const partition: Field<Partition> = {
  write(to, value, as) {
    head.partition.write(to, value.partition, as);
    head.errorCode.write(to, value.errorCode, as);
    head.highWatermark.write(to, value.highWatermark, as);
    head.lastStableOffset.write(to, value.lastStableOffset, as);
    head.logStart.write(to, value.logStart, as);
    head.aborted.write(to, value.aborted, as);
    head.preferredReplica.write(to, value.preferredReplica, as);
    head.batches.write(to, value.batches, as);
    if (as.flexible) to.raw(value.diverged ? DIVERGED : NO_TAGS);
  },
  read: (from, as) => ({
    partition: head.partition.read(from, as),
    errorCode: head.errorCode.read(from, as),
    highWatermark: head.highWatermark.read(from, as),
    lastStableOffset: head.lastStableOffset.read(from, as),
    logStart: head.logStart.read(from, as),
    aborted: head.aborted.read(from, as),
    preferredReplica: head.preferredReplica.read(from, as),
    batches: head.batches.read(from, as),
    diverged: as.flexible && from.tags(0),
  }),
};

export const FETCH_TABLE = api(FETCH.name, FETCH.key, FETCH.versions, FETCH.flexible, {
  request: struct({
    replicaId: int32,
    maxWaitMs: int32,
    minBytes: int32,
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
      partitions: array(partition),
    })),
  }),
});
