/**
 * Requests of transactions and about them.
 *
 * @module
 */
import type { Connection } from "../connection.ts";
import type { GroupMembership, OffsetToCommit } from "./groups.ts";
import { Refusals } from "./request.ts";

const INIT_PRODUCER_ID = { key: 22, version: 4 };
const ADD_PARTITIONS_TO_TXN = { key: 24, version: 3 };
const ADD_OFFSETS_TO_TXN = { key: 25, version: 3 };
const TXN_OFFSET_COMMIT = { key: 28, version: 3 };
const END_TXN = { key: 26, version: 3 };
const DESCRIBE_TRANSACTIONS = { key: 65, version: 0 };

/** Who appends. */
export interface ProducerIdentity {
  readonly producerId: bigint;
  readonly epoch: number;
}

/** Who appends, in transactions of this id. */
export interface Owner extends ProducerIdentity {
  readonly transactionalId: string;
}

/**
 * Asks for a producer's identity; with a transactional id that of its owner from now on.
 *
 * @param current the identity until now, −1 where there is none.
 */
export function initProducerId(
  connection: Connection,
  transactionalId: string | null,
  timeoutMs: number,
  { producerId, epoch }: ProducerIdentity = { producerId: -1n, epoch: -1 },
): Promise<ProducerIdentity> {
  return connection.request(INIT_PRODUCER_ID, (to) => {
    to.string(transactionalId).int32(timeoutMs).int64(producerId).int16(epoch).noTags();
  }, (from) => {
    const refusals = new Refusals();
    from.skip(4);
    refusals.note(from.int16(), transactionalId ?? "");
    const identity = { producerId: from.bigint64(), epoch: from.int16() };
    from.tags();
    return refusals.over(INIT_PRODUCER_ID, identity);
  });
}

/** Announces partitions that the transaction will write to. */
export function addPartitions(
  connection: Connection,
  { transactionalId, producerId, epoch }: Owner,
  topics: readonly (readonly [topic: string, partitions: Iterable<number>])[],
): Promise<void> {
  return connection.request(ADD_PARTITIONS_TO_TXN, (to) => {
    to.string(transactionalId).int64(producerId).int16(epoch);
    to.structs(topics, ([topic, partitions]) => {
      to.string(topic).list([...partitions], (partition) => to.int32(partition));
    });
    to.noTags();
  }, (from) => {
    const refusals = new Refusals();
    from.skip(4);
    from.structs(() => {
      const topic = from.string();
      from.structs(() => {
        const partition = from.int32();
        refusals.note(from.int16(), `${topic}/${partition}`);
      });
    });
    from.tags();
    return refusals.over(ADD_PARTITIONS_TO_TXN, undefined);
  });
}

/** Announces a group whose offsets the transaction will commit. */
export function addOffsets(
  connection: Connection,
  { transactionalId, producerId, epoch }: Owner,
  group: string,
): Promise<void> {
  return connection.request(ADD_OFFSETS_TO_TXN, (to) => {
    to.string(transactionalId).int64(producerId).int16(epoch).string(group).noTags();
  }, (from) => {
    const refusals = new Refusals();
    from.skip(4);
    refusals.note(from.int16(), group);
    from.tags();
    return refusals.over(ADD_OFFSETS_TO_TXN, undefined);
  });
}

/**
 * Commits an offset when the transaction does.
 *
 * @param member by which the group knows who commits: generation −1 and no name where nobody is one.
 */
export function commitOffset(
  connection: Connection,
  { transactionalId, producerId, epoch }: Owner,
  member: GroupMembership,
  commit: OffsetToCommit,
): Promise<void> {
  const { topic, partition, offset, leaderEpoch, metadata } = commit;
  return connection.request(TXN_OFFSET_COMMIT, (to) => {
    to.string(transactionalId).string(member.group).int64(producerId).int16(epoch);
    to.int32(member.generation).string(member.memberId).string(null);
    to.structs([topic], () => {
      to.string(topic);
      to.structs([partition], () => {
        to.int32(partition).int64(offset).int32(leaderEpoch).string(metadata);
      });
    });
    to.noTags();
  }, (from) => {
    const refusals = new Refusals();
    from.skip(4);
    from.structs(() => {
      from.string();
      from.structs(() => {
        from.int32();
        refusals.note(from.int16(), `${topic}/${partition}`);
      });
    });
    from.tags();
    return refusals.over(TXN_OFFSET_COMMIT, undefined);
  });
}

/** Commits the transaction. */
export function endTransaction(
  connection: Connection,
  { transactionalId, producerId, epoch }: Owner,
): Promise<void> {
  return connection.request(END_TXN, (to) => {
    to.string(transactionalId).int64(producerId).int16(epoch).boolean(true).noTags();
  }, (from) => {
    const refusals = new Refusals();
    from.skip(4);
    refusals.note(from.int16(), transactionalId);
    from.tags();
    return refusals.over(END_TXN, undefined);
  });
}

/** A transactional id, as its coordinator knows it. */
export interface TransactionState extends ProducerIdentity {
  /** `Ongoing`, `PrepareCommit`, `CompleteCommit`, … */
  readonly state: string;
}

/** How things stand with a transactional id. */
export function describeTransaction(
  connection: Connection,
  transactionalId: string,
): Promise<TransactionState> {
  return connection.request(DESCRIBE_TRANSACTIONS, (to) => {
    to.list([transactionalId], (id) => to.string(id)).noTags();
  }, (from) => {
    const refusals = new Refusals();
    from.skip(4);
    const [found] = from.structs(() => {
      refusals.note(from.int16(), transactionalId);
      from.string();
      const state = from.string();
      from.skip(4 + 8); // time-out and start
      const identity = { producerId: from.bigint64(), epoch: from.int16() };
      from.structs(() => {
        from.string();
        from.list(() => from.int32());
      });
      return { ...identity, state };
    });
    from.tags();
    return refusals.over(DESCRIBE_TRANSACTIONS, found!);
  });
}
