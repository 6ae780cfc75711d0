// Subscriptions and assignments in the encoding of Kafka's own consumers, so that Kafka's tools show
// which member has which partitions.
import { Buffer } from "node:buffer";
import { RequestWriter, ResponseReader } from "../protocol/wire.ts";

const SUBSCRIPTION_VERSION = 2;
const ASSIGNMENT_VERSION = 0;

export type PartitionsByTopic = ReadonlyMap<string, readonly number[]>;

export interface Subscription {
  readonly topics: readonly string[];
  /** Partitions that the member has not released. */
  readonly owned: PartitionsByTopic;
  /** The generation in which it got them; −1 if unknown. */
  readonly generation: number;
}

export function encodeSubscription({ topics, owned, generation }: Subscription): Uint8Array {
  const to = new RequestWriter().int16(SUBSCRIPTION_VERSION).int32(topics.length);
  for (const topic of [...topics].sort()) to.string(topic, false);
  to.int32(0); // user data
  writePartitions(to, owned);
  return new Uint8Array(Buffer.concat(to.int32(generation).pieces()));
}

/** Reads any version: later ones only add fields. */
export function decodeSubscription(bytes: Uint8Array): Subscription {
  const from = new ResponseReader(bytes.slice());
  const version = from.int16();
  const topics = from.list(() => from.string(false), false);
  from.skip(Math.max(0, from.int32()));
  // Some clients state a later version than they write.
  const owned = version >= 1 && from.left > 0 ? readPartitions(from) : new Map();
  const generation = version >= 2 && from.left > 0 ? from.int32() : -1;
  return { topics, owned, generation };
}

export function encodeAssignment(assigned: PartitionsByTopic): Uint8Array {
  const to = new RequestWriter().int16(ASSIGNMENT_VERSION);
  writePartitions(to, assigned);
  return new Uint8Array(Buffer.concat(to.int32(-1).pieces()));
}

/** Reads any version; empty for a member without partitions. */
export function decodeAssignment(bytes: Uint8Array): PartitionsByTopic {
  const from = new ResponseReader(bytes.slice());
  if (from.left === 0) return new Map();
  from.int16();
  return from.left > 0 ? readPartitions(from) : new Map();
}

function writePartitions(to: RequestWriter, byTopic: PartitionsByTopic): void {
  const some = [...byTopic].filter(([, partitions]) => partitions.length > 0);
  to.int32(some.length);
  for (const [topic, partitions] of some.sort(([a], [b]) => a < b ? -1 : 1)) {
    to.string(topic, false).int32(partitions.length);
    for (const partition of partitions.toSorted((a, b) => a - b)) to.int32(partition);
  }
}

function readPartitions(from: ResponseReader): PartitionsByTopic {
  const numbers = () => from.list(() => from.int32(), false);
  return new Map(from.list(() => [from.string(false), numbers()], false));
}
