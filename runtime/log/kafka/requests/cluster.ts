/**
 * Requests about brokers, topics and offsets.
 *
 * @module
 */
import type { Connection } from "../connection.ts";
import { Refusals } from "./request.ts";

const METADATA = { key: 3, version: 12 };
const FIND_COORDINATOR = { key: 10, version: 4 };
const CREATE_TOPICS = { key: 19, version: 7 };
const CREATE_PARTITIONS = { key: 37, version: 3 };
const LIST_OFFSETS = { key: 2, version: 7 };

/** Only what was committed counts. */
export const READ_COMMITTED = 1;
const NO_REPLICA = -1;
const NO_ID = "0".repeat(32);
const COORDINATORS = { group: 0, transaction: 1 } as const;

/** What the cluster says of itself. */
export interface Metadata {
  readonly brokers: readonly {
    readonly id: number;
    readonly host: string;
    readonly port: number;
  }[];
  readonly topics: readonly {
    readonly errorCode: number;
    readonly name: string;
    /** 32 hexadecimal digits. */
    readonly id: string;
    readonly partitions: readonly {
      readonly partition: number;
      /** −1 while there is none. */
      readonly leader: number;
      readonly leaderEpoch: number;
    }[];
  }[];
}

/** @param topics names, or null for all. */
export function metadata(
  connection: Connection,
  topics: readonly string[] | null,
): Promise<Metadata> {
  return connection.request(METADATA, (to) => {
    to.structs(topics, (name) => to.uuid(NO_ID).string(name));
    to.boolean(false).boolean(false).noTags(); // nothing is created, no permissions are told
  }, (from) => {
    const refusals = new Refusals();
    from.skip(4); // throttle time
    const brokers = from.structs(() => {
      const broker = { id: from.int32(), host: from.string(), port: from.int32() };
      from.nullableString(); // rack
      return broker;
    });
    from.nullableString(); // cluster
    from.int32(); // controller
    const found = from.structs(() => {
      const errorCode = from.int16();
      const name = from.nullableString() ?? "";
      refusals.note(errorCode, name);
      const id = from.uuid();
      from.boolean(); // internal
      const partitions = from.structs(() => {
        const code = from.int16();
        const partition = from.int32();
        refusals.note(code, `${name}/${partition}`);
        const leader = { partition, leader: from.int32(), leaderEpoch: from.int32() };
        for (let replicas = 0; replicas < 3; replicas++) from.list(() => from.int32());
        return leader;
      });
      from.int32(); // permissions
      return { errorCode, name, id, partitions };
    });
    from.tags();
    return refusals.over(METADATA, { brokers, topics: found });
  });
}

/** Where the coordinator of a group or of a transactional id is. */
export function findCoordinator(
  connection: Connection,
  kind: keyof typeof COORDINATORS,
  id: string,
): Promise<{ readonly host: string; readonly port: number }> {
  return connection.request(FIND_COORDINATOR, (to) => {
    to.int8(COORDINATORS[kind]).list([id], (one) => to.string(one)).noTags();
  }, (from) => {
    const refusals = new Refusals();
    from.skip(4);
    const [found] = from.structs(() => {
      from.string(); // what was asked for
      from.int32(); // number of the broker
      const broker = { host: from.string(), port: from.int32() };
      refusals.note(from.int16(), id, from.nullableString());
      return broker;
    });
    from.tags();
    return refusals.over(FIND_COORDINATOR, found!);
  });
}

/** Creates a topic; the replicas are as many as the brokers' default. */
export function createTopic(
  connection: Connection,
  name: string,
  partitions: number,
  configuration: Readonly<Record<string, string>>,
  timeoutMs: number,
): Promise<void> {
  return connection.request(CREATE_TOPICS, (to) => {
    to.structs([name], () => {
      to.string(name).int32(partitions).int16(-1).count(0);
      to.structs(Object.entries(configuration), ([key, value]) => to.string(key).string(value));
    });
    to.int32(timeoutMs).boolean(false).noTags();
  }, (from) => {
    const refusals = new Refusals();
    from.skip(4);
    from.structs(() => {
      const topic = from.string();
      from.uuid();
      refusals.note(from.int16(), topic, from.nullableString());
      from.skip(4 + 2); // partitions and replicas
      from.structs(() => {
        from.string();
        from.nullableString();
        from.skip(3);
      });
    });
    from.tags();
    return refusals.over(CREATE_TOPICS, undefined);
  });
}

/** Gives a topic more partitions. */
export function createPartitions(
  connection: Connection,
  name: string,
  count: number,
  timeoutMs: number,
): Promise<void> {
  return connection.request(CREATE_PARTITIONS, (to) => {
    to.structs([name], () => to.string(name).int32(count).count(null));
    to.int32(timeoutMs).boolean(false).noTags();
  }, (from) => {
    const refusals = new Refusals();
    from.skip(4);
    from.structs(() => {
      const topic = from.string();
      refusals.note(from.int16(), topic, from.nullableString());
    });
    from.tags();
    return refusals.over(CREATE_PARTITIONS, undefined);
  });
}

/** The first offset at or after a time, epoch milliseconds; −1 when there is none. */
export function listOffset(
  connection: Connection,
  place: { readonly topic: string; readonly partition: number; readonly leaderEpoch: number },
  timestamp: number,
): Promise<number> {
  const { topic, partition, leaderEpoch } = place;
  return connection.request(LIST_OFFSETS, (to) => {
    to.int32(NO_REPLICA).int8(READ_COMMITTED);
    to.structs([topic], () => {
      to.string(topic);
      to.structs([partition], () => to.int32(partition).int32(leaderEpoch).int64(timestamp));
    });
    to.noTags();
  }, (from) => {
    const refusals = new Refusals();
    let offset = -1;
    from.skip(4);
    from.structs(() => {
      from.string();
      from.structs(() => {
        from.int32();
        refusals.note(from.int16(), `${topic}/${partition}`);
        from.skip(8);
        offset = from.int64();
        from.int32();
      });
    });
    from.tags();
    return refusals.over(LIST_OFFSETS, offset);
  });
}
