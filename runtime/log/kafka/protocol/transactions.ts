// Requests about transactions.
import { api } from "./api.ts";
import * as f from "./fields.ts";

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
  request: f.struct({
    transactionalId: f.nullableString,
    timeoutMs: f.int32,
    producerId: f.since(3, f.bigint64, -1n),
    epoch: f.since(3, f.int16, -1),
  }),
  response: f.struct({
    ...f.head,
    producerId: f.bigint64,
    epoch: f.int16,
  }),
});
/** With a transactional id: since version 3 its owner may send it again without being fenced. */
export const INIT_TRANSACTIONS: typeof INIT_PRODUCER_ID = {
  ...INIT_PRODUCER_ID,
  versions: [3, 4],
};

const owner = { transactionalId: f.string, producerId: f.bigint64, epoch: f.int16 };

export const ADD_PARTITIONS_TO_TXN = api("AddPartitionsToTxn", 24, [0, 3], 3, {
  request: f.struct({
    ...owner,
    topics: f.places,
  }),
  response: f.struct({ throttleTimeMs: f.int32, topics: f.partitionErrors }),
});

export const ADD_OFFSETS_TO_TXN = api("AddOffsetsToTxn", 25, [0, 3], 3, {
  request: f.struct({ ...owner, group: f.string }),
  response: f.outcome,
});

export const TXN_OFFSET_COMMIT = api("TxnOffsetCommit", 28, [3, 3], 3, {
  request: f.struct({
    transactionalId: f.string,
    group: f.string,
    producerId: f.bigint64,
    epoch: f.int16,
    generation: f.int32,
    memberId: f.string,
    instanceId: f.nullableString,
    topics: f.partitions({ offset: f.int64, leaderEpoch: f.int32, metadata: f.nullableString }),
  }),
  response: f.struct({ throttleTimeMs: f.int32, topics: f.partitionErrors }),
});

export const END_TXN = api("EndTxn", 26, [0, 3], 3, {
  request: f.struct({ ...owner, committed: f.boolean }),
  response: f.outcome,
});

/** `state`: `Ongoing`, `PrepareCommit`, `CompleteCommit`, … */
export const DESCRIBE_TRANSACTIONS = api("DescribeTransactions", 65, [0, 0], 0, {
  request: f.struct({ transactionalIds: f.array(f.string) }),
  response: f.struct({
    throttleTimeMs: f.int32,
    transactions: f.array(f.struct({
      errorCode: f.int16,
      name: f.string,
      state: f.string,
      timeoutMs: f.int32,
      startTime: f.int64,
      producerId: f.bigint64,
      epoch: f.int16,
      topics: f.array(f.struct({ topic: f.string, partitions: f.array(f.int32) })),
    })),
  }),
});
