// What members of a group send one another, in the encoding of Kafka's own consumers, so that
// Kafka's tools show who has which partitions.
import { RequestWriter, ResponseReader } from "../protocol/wire.ts";

const SUBSCRIPTION_VERSION = 2;
const ASSIGNMENT_VERSION = 0;

/** Partitions by topic. */
export type Places = ReadonlyMap<string, readonly number[]>;

/** What a member wants and has. */
export interface Subscription {
  readonly topics: readonly string[];
  /** What it holds and has not released. */
  readonly owned: Places;
  /** The generation in which it got that; −1 when it does not say. */
  readonly generation: number;
}

export function encodeSubscription({ topics, owned, generation }: Subscription): Uint8Array {
  const to = new RequestWriter().int16(SUBSCRIPTION_VERSION).int32(topics.length);
  for (const topic of [...topics].sort()) to.string(topic, false);
  to.int32(0); // of the user's own
  writePlaces(to, owned);
  return whole(to.int32(generation));
}

/** Reads any version: later ones only add to what the first has. */
export function decodeSubscription(bytes: Uint8Array): Subscription {
  const from = new ResponseReader(bytes.slice());
  const version = from.int16();
  const topics = from.list(() => from.string(false), false);
  from.skip(Math.max(0, from.int32()));
  // Some clients name a later version and write an earlier one.
  const owned = version >= 1 && from.left > 0 ? readPlaces(from) : new Map();
  const generation = version >= 2 && from.left > 0 ? from.int32() : -1;
  return { topics, owned, generation };
}

export function encodeAssignment(places: Places): Uint8Array {
  const to = new RequestWriter().int16(ASSIGNMENT_VERSION);
  writePlaces(to, places);
  return whole(to.int32(-1));
}

/** Reads any version; a member without partitions may have been sent nothing. */
export function decodeAssignment(bytes: Uint8Array): Places {
  const from = new ResponseReader(bytes.slice());
  if (from.left === 0) return new Map();
  from.int16();
  return from.left > 0 ? readPlaces(from) : new Map();
}

function writePlaces(to: RequestWriter, places: Places): void {
  const some = [...places].filter(([, partitions]) => partitions.length > 0);
  to.int32(some.length);
  for (const [topic, partitions] of some.sort(([a], [b]) => a < b ? -1 : 1)) {
    to.string(topic, false).int32(partitions.length);
    for (const partition of partitions.toSorted((a, b) => a - b)) to.int32(partition);
  }
}

function readPlaces(from: ResponseReader): Places {
  const numbers = () => from.list(() => from.int32(), false);
  return new Map(from.list(() => [from.string(false), numbers()], false));
}

function whole(to: RequestWriter): Uint8Array {
  const bytes = new Uint8Array(to.size);
  let at = 0;
  for (const piece of to.pieces()) {
    bytes.set(piece, at);
    at += piece.length;
  }
  return bytes;
}
