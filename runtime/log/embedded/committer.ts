import { given } from "../../base/options.ts";
import { Semaphore } from "../../base/wait.ts";
import {
  type BatchCommitter,
  type BatchRange,
  type Checkpoint,
  type CommitOptions,
  type CommitterOptions,
  LogError,
  type Membership,
  type OutputRecord,
} from "../log.ts";
import { checkCommit, checkPlan } from "../checkpoint_plan.ts";
import { maxStateBytes } from "./checkpoint_entry.ts";
import type { CheckpointStore } from "./checkpoint_store.ts";
import { checkpointName, type CheckpointRow } from "./checkpoints.ts";
import { GroupTables } from "./group_tables.ts";
import type { OpenLog } from "./open_log.ts";
import { isPresent } from "./presence.ts";
import { type EncodedRecord, encodeRecord } from "./record.ts";

/** The open log, and where the checkpoint is. */
export type CheckpointParts = OpenLog & { readonly store: CheckpointStore };

/** The owned checkpoint of one query on one partition. Make it with `open`. */
export class EmbeddedCommitter implements BatchCommitter {
  readonly queryId: string;
  readonly #parts: CheckpointParts;
  readonly #options: CommitterOptions;
  readonly #name: string;
  readonly #row: CheckpointRow;
  committed: Checkpoint | undefined;
  planned: BatchRange | undefined;
  readonly #turns = new Semaphore(1);
  #closed = false;

  private constructor(
    parts: CheckpointParts,
    options: CommitterOptions,
    row: CheckpointRow,
    { committed, planned }: { committed?: Checkpoint; planned?: BatchRange },
  ) {
    this.#parts = parts;
    this.#options = options;
    this.#name = checkpointName(options, parts.store);
    this.#row = row;
    this.queryId = row.queryId;
    this.committed = committed;
    this.planned = planned;
    parts.opened.add(this);
  }

  /**
   * Takes the checkpoint over: checks the membership, makes output topics, fences the former owner,
   * reads what it left.
   *
   * @throws {LogError} `FENCED` when the membership does not own the partition; `OWNED`;
   * `CHECKPOINT_GAP`, `CHECKPOINT_NEWER`, `CHECKPOINT_CORRUPT`; `TOPIC_MISSING`,
   * `PARTITION_MISSING`.
   */
  static async open(
    parts: CheckpointParts,
    options: CommitterOptions,
  ): Promise<EmbeddedCommitter> {
    const { dir, db, checkpoints, presence, store } = parts;
    const name = checkpointName(options, store);
    const key = { store: store.id, ...options };
    let dead: string | null = null;
    if (options.unowned === true) {
      const owner = await db.read(`look at ${name}`, () => checkpoints.find(key)?.process ?? null);
      if (owner !== null && await isPresent(dir, owner)) throw owned(name);
      dead = owner;
    }
    await db.read(`check ${name}`, () => checkpoints.checkTables());
    const { row, entries } = await db.write(`take over ${name}`, () => {
      prepareTopics(parts, options);
      if (options.unowned === true) {
        const { group, topic, partition } = options;
        const process = checkpoints.find(key)?.process ?? null;
        const held = new GroupTables(db, parts.topics, group, topic).holds(partition);
        if (held || process !== dead) throw owned(name);
      }
      const row = checkpoints.takeOver(key, options.membership?.memberId ?? null, presence.id);
      return { row, entries: checkpoints.read(row.id, name) };
    }, { durable: true });
    return new EmbeddedCommitter(parts, options, row, entries);
  }

  plan(batch: BatchRange, required = true): Promise<void> {
    return this.#exclusively(async () => {
      const action = `Cannot plan batch ${batch.batchId} of ${this.#name}`;
      checkPlan(action, batch, this.committed?.batchId ?? -1, this.planned);
      this.planned = { ...batch };
      // Otherwise it is written with the commit.
      if (!required) return;
      const { db, checkpoints } = this.#parts;
      await db.write(`plan a batch of ${this.#name}`, () => {
        this.#checkOwned();
        checkpoints.plan(this.#row, batch);
      }, { durable: true });
    });
  }

  commit(
    batch: BatchRange,
    { end, restart, state }: Omit<Checkpoint, "batchId">,
    records: readonly OutputRecord[],
    { repeatable = false }: CommitOptions = {},
  ): Promise<void> {
    return this.#exclusively(async () => {
      const action = `Cannot commit batch ${batch.batchId} of ${this.#name}`;
      checkCommit(action, batch, this.planned, { end, restart });
      const checkpoint = { batchId: batch.batchId, end, restart, ...given({ state }) };
      const { length = 0 } = state ?? {};
      if (length > maxStateBytes) {
        throw new LogError(
          "TOO_LARGE",
          `Cannot commit ${length} bytes of state of ${this.#name}: expected at most ${maxStateBytes}`,
        );
      }
      const appends = await this.#fitting(records);
      const { appender, checkpoints } = this.#parts;
      await appender.commit(`commit a batch of ${this.#name}`, appends, {
        durable: !repeatable,
        changes: () => {
          this.#checkOwned();
          checkpoints.commit(this.#row, batch, checkpoint, this.committed);
        },
      });
      this.committed = checkpoint;
      this.planned = undefined;
    });
  }

  /** The epoch, not the generation, says who owns the checkpoint. */
  renew(_membership: Membership): void {}

  async close(): Promise<void> {
    const wasClosed = this.#closed;
    this.#closed = true;
    this.#parts.opened.delete(this);
    await this.#turns.run(() => {});
    if (wasClosed) return;
    const { db, checkpoints } = this.#parts;
    await db.write(`release ${this.#name}`, () => checkpoints.release(this.#row))
      .catch(() => {/* It counts as owned until the log is closed. */});
  }

  /** Runs steps one at a time, in call order. */
  #exclusively<T>(step: () => Promise<T>): Promise<T> {
    return this.#turns.run(() => {
      if (!this.#closed) return step();
      throw new LogError("CLOSED", `Cannot continue with ${this.#name}: the committer is closed`);
    });
  }

  /**
   * Within a transaction: checks that the checkpoint is still ours, and settles its partition's
   * offsets.
   */
  #checkOwned(): void {
    const { db, topics, checkpoints } = this.#parts;
    if (!checkpoints.owns(this.#row)) throw this.#fenced();
    db.tails.settle(topics.id(this.#options.topic, this.#options.partition));
  }

  /** The records, or smaller ones that fit, whose topics are made. */
  async #fitting(records: readonly OutputRecord[]) {
    const { db, topics } = this.#parts;
    const fit = records.map(fitting);
    const elsewhere = fit.filter(({ record }, i) => record.topic !== records[i]!.topic);
    if (elsewhere.length > 0) {
      await db.write(`make topics for ${this.#name}`, () => {
        for (const { record } of elsewhere) topics.ensure(record.topic, record.partition + 1);
      });
    }
    return fit.map(({ record: { topic, partition }, row }) => ({
      topic,
      partition,
      records: [row],
    }));
  }

  #fenced(): LogError {
    const { query, topic, partition } = this.#options;
    return new LogError(
      "FENCED",
      `Cannot write for query ${query} on ${topic}/${partition}: another runtime has taken over`,
    );
  }
}

function owned(name: string): LogError {
  return new LogError(
    "OWNED",
    `Cannot take over ${name}: a runtime owns it; stop that runtime first`,
  );
}

function prepareTopics({ db, topics }: CheckpointParts, options: CommitterOptions): void {
  const { group, query, topic, partition, outputTopics = [], membership } = options;
  topics.id(topic, partition);
  if (
    membership !== undefined &&
    !new GroupTables(db, topics, group, topic).holds(partition, membership)
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

/**
 * The record, or a smaller one.
 *
 * @throws {LogError} `TOO_LARGE` if there is no smaller replacement
 */
function fitting(record: OutputRecord): { record: OutputRecord; row: EncodedRecord } {
  try {
    return { record, row: encodeRecord(record) };
  } catch (error) {
    const tooLarge = error instanceof LogError && error.code === "TOO_LARGE";
    if (!tooLarge || record.smaller === undefined) throw error;
    return fitting(record.smaller(error));
  }
}
