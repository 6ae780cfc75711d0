/**
 * Taking over a checkpoint: fence the owner before, then read what it left.
 *
 * @module
 */
import type { Clock } from "../../base/clock.ts";
import { type BatchRange, type Checkpoint, type CommitterOptions, LogError } from "../log.ts";
import type { Appender } from "./appender.ts";
import type { ChangeWatcher } from "./changes.ts";
import {
  corrupt,
  decodeBatch,
  decodeCheckpoint,
  decodeEntry,
  encodeBatch,
  encodeCheckpoint,
  encodeEntry,
  textOf,
  whole,
} from "./checkpoint_entry.ts";
import type { CheckpointStore } from "./checkpoint_store.ts";
import type { Database } from "./database.ts";
import { GroupTables } from "./group_tables.ts";
import type { ProducerKey, Producers } from "./producers.ts";
import type { Records } from "./records.ts";
import type { Topics } from "./topics.ts";

/** What is asked of the store. */
export type CheckpointEntries = Pick<CheckpointStore, "id" | "path" | "get" | "list" | "commit">;

/** The parts of an open log that checkpoints need. */
export interface CheckpointParts {
  readonly db: Database;
  readonly topics: Topics;
  readonly records: Records;
  readonly producers: Producers;
  readonly changes: ChangeWatcher;
  readonly appender: Appender;
  readonly store: CheckpointEntries;
  readonly clock: Clock;
}

/** Keys of one checkpoint in the store. */
export class CheckpointKeys {
  readonly producer: ProducerKey;
  /** For messages. */
  readonly name: string;
  readonly #prefix: Deno.KvKey;

  constructor({ group, query, topic, partition }: CommitterOptions, store: CheckpointEntries) {
    this.producer = { store: store.id, group, query, topic, partition };
    this.name = `the checkpoint of query ${query} on ${topic}/${partition} in ${store.path}`;
    this.#prefix = ["framelane", "checkpoint", group, query, topic, partition];
  }

  /** Identity of the query and of its log. */
  get query(): Deno.KvKey {
    return [...this.#prefix, "query"];
  }

  get owner(): Deno.KvKey {
    return [...this.#prefix, "owner"];
  }

  offsets(...batchId: number[]): Deno.KvKey {
    return [...this.#prefix, "offsets", ...batchId];
  }

  commits(...batchId: number[]): Deno.KvKey {
    return [...this.#prefix, "commits", ...batchId];
  }
}

/** So many entries of the past are kept. */
export const keptEntries = 100;

/** A checkpoint, taken over. */
export interface TakenCheckpoint {
  readonly keys: CheckpointKeys;
  readonly queryId: string;
  readonly epoch: number;
  readonly ownership: string;
  readonly committed: Checkpoint | undefined;
  readonly planned: BatchRange | undefined;
}

/**
 * Takes a checkpoint over: checks the membership, creates output topics, fences, reads.
 *
 * @throws {LogError} `FENCED` when the membership does not own the partition, or another was faster;
 * `CHECKPOINT_GAP`, `CHECKPOINT_NEWER`, `CHECKPOINT_CORRUPT`; `TOPIC_MISSING`, `PARTITION_MISSING`.
 */
export async function takeOver(
  parts: CheckpointParts,
  options: CommitterOptions,
): Promise<TakenCheckpoint> {
  const { db, producers, store } = parts;
  const keys = new CheckpointKeys(options, store);
  const before = (await readOwner(store, keys)).epoch;
  // First the database, then the store: from here on no earlier owner writes records …
  const { epoch, entry } = await db.write(`take over ${keys.name}`, () => {
    prepareTopics(parts, options);
    return producers.takeOver(keys.producer, before);
  });
  // … and from here on none writes entries.
  const ownership = await own(store, keys, epoch, options);
  const written = entry === null
    ? undefined
    : decodeCheckpoint(entry, `the records' end of ${keys.name}`);
  const state = await readEntries(store, keys);
  const used = (written ?? state.committed ?? state.planned) !== undefined;
  const queryId = await identify(store, keys, db.logId, used);
  if (written === undefined || written.batchId <= (state.committed?.batchId ?? -1)) {
    // Should the store be damaged later, the database knows at least this much.
    if (state.committed !== undefined) {
      const known = encodeCheckpoint(state.committed);
      await db.write(`note ${keys.name}`, () => producers.advance(keys.producer, epoch, known));
    }
    return { keys, queryId, epoch, ownership, ...state };
  }
  // The owner before died after it had written a batch's records: the batch is done.
  await rollForward(store, keys, ownership, written, entry!, state.planned);
  return { keys, queryId, epoch, ownership, committed: written, planned: undefined };
}

/** Within a transaction. */
function prepareTopics({ db, topics }: CheckpointParts, options: CommitterOptions): void {
  const { group, query, topic, partition, outputTopics = [], membership } = options;
  topics.id(topic, partition);
  if (
    membership !== undefined &&
    !new GroupTables(db, topics, group, topic).owns(membership, partition)
  ) {
    throw new LogError(
      "FENCED",
      `Cannot take over query ${query} on ${topic}/${partition}: member ${membership.memberId} of ` +
        `group ${group} does not own the partition`,
    );
  }
  const partitions = topics.partitionCount(topic);
  for (const output of outputTopics) topics.ensure(output, partitions);
}

/** Who owns a checkpoint: epoch 0 when nobody ever has. */
export async function readOwner(
  store: CheckpointEntries,
  keys: CheckpointKeys,
): Promise<{ epoch: number; member: string | null; versionstamp: string | null }> {
  const { value, versionstamp } = await store.get(keys.owner);
  if (versionstamp === null) return { epoch: 0, member: null, versionstamp };
  const name = `the owner of ${keys.name}`;
  const content = decodeEntry(value, name);
  const member = content["member"] === null ? null : textOf(content, "member", name);
  return { epoch: whole(content, "epoch", name), member, versionstamp };
}

/** Writes our epoch into the store; returns the version of the entry, by which we own the checkpoint. */
async function own(
  store: CheckpointEntries,
  keys: CheckpointKeys,
  epoch: number,
  { query, topic, partition, membership }: CommitterOptions,
): Promise<string> {
  // Who finds another entry than the one it read tries again; there are not that many who take over at once.
  for (let tries = 0; tries < 100; tries++) {
    const { epoch: other, versionstamp } = await readOwner(store, keys);
    if (other > epoch) {
      throw new LogError(
        "FENCED",
        `Cannot take over query ${query} on ${topic}/${partition}: another runtime took it over at the same time`,
      );
    }
    const entry = encodeEntry({ epoch, member: membership?.memberId ?? null });
    const ownership = await store.commit((operation) =>
      operation.check({ key: keys.owner, versionstamp }).set(keys.owner, entry)
    );
    if (ownership !== null) return ownership;
  }
  throw corrupt(`the owner of ${keys.name}`, "it cannot be replaced");
}

/** The query's id; it belongs to this log. */
async function identify(
  store: CheckpointEntries,
  keys: CheckpointKeys,
  log: string,
  used: boolean,
): Promise<string> {
  const name = `the identity of ${keys.name}`;
  if ((await store.get(keys.query)).versionstamp === null) {
    if (used) throw corrupt(name, "it is gone");
    const entry = encodeEntry({ id: crypto.randomUUID(), log });
    await store.commit((operation) =>
      operation.check({ key: keys.query, versionstamp: null }).set(keys.query, entry)
    );
  }
  // Ours, or that of an owner who was faster.
  const content = decodeEntry((await store.get(keys.query)).value, name);
  if (content.log !== log) {
    throw new LogError(
      "INVALID",
      `Cannot go on with ${keys.name}: it is of log ${content.log}, this is log ${log}; use another ` +
        "--checkpoint or --group, or remove that checkpoint to start anew",
    );
  }
  return textOf(content, "id", name);
}

/** Reads and checks all entries: ids without a gap, at most one batch planned beyond the last commit. */
export async function readEntries(
  store: CheckpointEntries,
  keys: CheckpointKeys,
): Promise<{ committed: Checkpoint | undefined; planned: BatchRange | undefined }> {
  const read = async <T extends { batchId: number }>(
    kind: "offsets" | "commits",
    decode: (entry: unknown, name: string) => T,
  ) => {
    let last: T | undefined;
    const entries = await store.list(keys[kind]());
    const newest = Number(entries.at(-1)?.key.at(-1));
    for (const { key, value } of entries) {
      const id = Number(key.at(-1));
      // An owner that died before it removed an old entry left it behind: it says nothing any more.
      if (id <= newest - keptEntries) continue;
      const name = `${kind}/${id} of ${keys.name}`;
      const content = decode(value, name);
      if (content.batchId !== id) throw corrupt(name, `it is of batch ${content.batchId}`);
      if (last !== undefined && id !== last.batchId + 1) {
        throw gap(name, `${kind}/${last.batchId} precedes it`);
      }
      last = content;
    }
    return last;
  };
  const committed = await read("commits", decodeCheckpoint);
  const planned = await read("offsets", decodeBatch);
  const [done, wanted] = [committed?.batchId ?? -1, planned?.batchId ?? -1];
  if (wanted !== done && wanted !== done + 1) {
    throw gap(
      keys.name,
      `offsets/${wanted} is the last batch planned, commits/${done} the last one done`,
    );
  }
  return { committed, planned: wanted === done ? undefined : planned };
}

/** Brings the store to where the records are. What lies behind a gap goes: the records' end says it all. */
async function rollForward(
  store: CheckpointEntries,
  keys: CheckpointKeys,
  ownership: string,
  written: Checkpoint,
  entry: string,
  planned: BatchRange | undefined,
): Promise<void> {
  const { batchId, end } = written;
  const stale: Deno.KvKey[] = [];
  const batch = planned?.batchId === batchId ? planned : { batchId, start: end, end };
  if (batch !== planned) {
    for (const prefix of [keys.offsets(), keys.commits()]) {
      for (const { key } of await store.list(prefix)) stale.push(key);
    }
  }
  const done = await store.commit((operation) => {
    operation.check({ key: keys.owner, versionstamp: ownership });
    for (const key of stale) operation.delete(key);
    return operation.set(keys.offsets(batchId), encodeBatch(batch)).set(
      keys.commits(batchId),
      entry,
    );
  });
  if (!done) {
    throw new LogError("FENCED", `Cannot take over ${keys.name}: another runtime took it over`);
  }
}

function gap(name: string, why: string): LogError {
  return new LogError(
    "CHECKPOINT_GAP",
    `Cannot trust ${name}: ${why}; restore the checkpoint from a copy, or start anew with another ` +
      "--checkpoint or --group",
  );
}
