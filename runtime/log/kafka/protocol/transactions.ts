// Requests about transactions.
import { api } from "./api.ts";
import {
  array,
  bigint64,
  boolean,
  head,
  int16,
  int32,
  int64,
  nullableString,
  outcome,
  partitionErrors,
  since,
  string,
  struct,
} from "./fields.ts";
import { offsetsToCommit } from "./groups.ts";

export interface ProducerIdentity {
  readonly producerId: bigint;
  readonly epoch: number;
}

/** The owner of a transactional id. */
export interface Owner extends ProducerIdentity {
  readonly transactionalId: string;
}

export const NO_IDENTITY: ProducerIdentity = { producerId: -1n, epoch: -1 };

export const INIT_PRODUCER_ID = api("InitProducerId", 22, [0, 4], 2, {
  request: struct({
    transactionalId: nullableString,
    timeoutMs: int32,
    producerId: since(3, bigint64, -1n),
    epoch: since(3, int16, -1),
  }),
  response: struct({
    ...head,
    producerId: bigint64,
    epoch: int16,
  }),
});
/** With a transactional id: since version 3 its owner may send it again without being fenced. */
export const INIT_TRANSACTIONS: typeof INIT_PRODUCER_ID = {
  ...INIT_PRODUCER_ID,
  versions: [3, 4],
};

const owner = { transactionalId: string, producerId: bigint64, epoch: int16 };

export const ADD_PARTITIONS_TO_TXN = api("AddPartitionsToTxn", 24, [0, 3], 3, {
  request: struct({
    ...owner,
    topics: array(struct({ name: string, partitions: array(int32) })),
  }),
  response: struct({ throttleTimeMs: int32, topics: partitionErrors }),
});

export const ADD_OFFSETS_TO_TXN = api("AddOffsetsToTxn", 25, [0, 3], 3, {
  request: struct({ ...owner, group: string }),
  response: outcome,
});

export const TXN_OFFSET_COMMIT = api("TxnOffsetCommit", 28, [3, 3], 3, {
  request: struct({
    transactionalId: string,
    group: string,
    producerId: bigint64,
    epoch: int16,
    generation: int32,
    memberId: string,
    instanceId: nullableString,
    topics: offsetsToCommit(int32),
  }),
  response: struct({ throttleTimeMs: int32, topics: partitionErrors }),
});

export const END_TXN = api("EndTxn", 26, [0, 3], 3, {
  request: struct({ ...owner, committed: boolean }),
  response: outcome,
});

/** `state`: `Ongoing`, `PrepareCommit`, `CompleteCommit`, … */
export const DESCRIBE_TRANSACTIONS = api("DescribeTransactions", 65, [0, 0], 0, {
  request: struct({ transactionalIds: array(string) }),
  response: struct({
    throttleTimeMs: int32,
    transactions: array(struct({
      errorCode: int16,
      name: string,
      state: string,
      timeoutMs: int32,
      startTime: int64,
      producerId: bigint64,
      epoch: int16,
      topics: array(struct({ topic: string, partitions: array(int32) })),
    })),
  }),
});
