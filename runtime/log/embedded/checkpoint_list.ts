/**
 * Looking at checkpoints without taking them over.
 *
 * @module
 */
import { type CheckpointFilter, type CheckpointInfo, LogError } from "../log.ts";
import { decodeCheckpoint, decodeEntry, textOf } from "./checkpoint_entry.ts";
import type { CheckpointStore } from "./checkpoint_store.ts";
import { CheckpointKeys, readEntries, readOwner } from "./checkpoint_takeover.ts";
import type { Database } from "./database.ts";
import type { Producers } from "./producers.ts";

/** Where to look. */
export interface CheckpointPlaces {
  readonly db: Database;
  readonly producers: Producers;
  readonly store: CheckpointStore;
}

type Place = Pick<CheckpointInfo, "group" | "query" | "topic" | "partition">;

const PREFIX: Deno.KvKey = ["framelane", "checkpoint"];

/** The checkpoints of a store that the filter lets pass, in the order of their keys. */
export async function listCheckpoints(
  places: CheckpointPlaces,
  filter: CheckpointFilter,
): Promise<CheckpointInfo[]> {
  const found = new Map<string, Place>();
  const prefix = filter.group === undefined ? PREFIX : [...PREFIX, filter.group];
  for (const { key } of await places.store.list(prefix)) {
    const [group, query, topic, partition] = key.slice(PREFIX.length) as [
      string,
      string,
      string,
      number,
    ];
    if (filter.query !== undefined && filter.query !== query) continue;
    if (filter.topic !== undefined && filter.topic !== topic) continue;
    found.set(JSON.stringify([group, query, topic, partition]), { group, query, topic, partition });
  }
  return await Promise.all([...found.values()].map((place) => look(places, place)));
}

async function look(
  { db, producers, store }: CheckpointPlaces,
  place: Place,
): Promise<CheckpointInfo> {
  const keys = new CheckpointKeys(place, store);
  try {
    const { value } = await store.get(keys.query);
    const identity = `the identity of ${keys.name}`;
    const queryId = value === null
      ? undefined
      : textOf(decodeEntry(value, identity), "id", identity);
    const owner = await readOwner(store, keys);
    const entries = await readEntries(store, keys);
    let { committed, planned } = entries;
    // Between the two steps of a commit the records say more than the store.
    const entry = await db.read(`look at ${keys.name}`, () => producers.entry(keys.producer));
    const written = entry === null
      ? undefined
      : decodeCheckpoint(entry, `the records' end of ${keys.name}`);
    if (written !== undefined && written.batchId > (committed?.batchId ?? -1)) {
      [committed, planned] = [written, undefined];
    }
    const { state, ...rest } = committed ?? {};
    return {
      ...place,
      ...(queryId === undefined ? {} : { queryId }),
      ...(committed === undefined
        ? {}
        : { committed: { ...rest as typeof committed, stateBytes: state?.length ?? 0 } }),
      ...(planned === undefined ? {} : { planned }),
      ...(owner.epoch === 0 ? {} : {
        owner: {
          epoch: owner.epoch,
          ...(owner.member === null ? {} : { member: owner.member }),
        },
      }),
    };
  } catch (error) {
    if (!(error instanceof LogError) || !error.code.startsWith("CHECKPOINT_")) throw error;
    return { ...place, fault: error.message };
  }
}
