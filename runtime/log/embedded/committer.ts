/**
 * The checkpoint of one query on one partition, in Deno KV, tied to the outputs in the database.
 *
 * Steps of a batch: `offsets/N` in the store → records and checkpoint in one transaction of the database (only when
 * there are records) → `commits/N` in the store. A crash between the last two is healed by the next owner, which finds the
 * database ahead of the store. An owner is known by its epoch: every step checks that it is still the newest one.
 *
 * @module
 */
import {
  type BatchCommitter,
  type BatchRange,
  type Checkpoint,
  type CommitterOptions,
  LogError,
  type Membership,
  type OutputRecord,
  saysFirst,
} from "../log.ts";
import { encodeBatch, encodeCheckpoint, maxStateBytes } from "./checkpoint_entry.ts";
import {
  CheckpointKeys,
  type CheckpointParts,
  keptEntries,
  takeOver,
} from "./checkpoint_takeover.ts";
import { type EncodedRecord, encodeRecord } from "./records.ts";

/** An owned checkpoint. Make it with `open`. */
export class EmbeddedCommitter implements BatchCommitter {
  readonly queryId: string;
  readonly #parts: CheckpointParts;
  readonly #options: CommitterOptions;
  readonly #keys: CheckpointKeys;
  readonly #epoch: number;
  /** Version of the entry that names the owner: as long as it stands, the checkpoint is ours. */
  readonly #ownership: string;
  readonly #onClose: (committer: EmbeddedCommitter) => void;
  #committed: Checkpoint | undefined;
  #planned: BatchRange | undefined;
  #busy: Promise<unknown> = Promise.resolve();
  #closed = false;

  private constructor(
    parts: CheckpointParts,
    options: CommitterOptions,
    taken: Awaited<ReturnType<typeof takeOver>>,
    onClose: (committer: EmbeddedCommitter) => void,
  ) {
    this.#parts = parts;
    this.#options = options;
    this.#keys = taken.keys;
    this.#epoch = taken.epoch;
    this.#ownership = taken.ownership;
    this.queryId = taken.queryId;
    this.#committed = taken.committed;
    this.#planned = taken.planned;
    this.#onClose = onClose;
  }

  /** Takes the checkpoint over. `onClose` is called when the committer is closed. */
  static async open(
    parts: CheckpointParts,
    options: CommitterOptions,
    onClose: (committer: EmbeddedCommitter) => void,
  ): Promise<EmbeddedCommitter> {
    return new EmbeddedCommitter(parts, options, await takeOver(parts, options), onClose);
  }

  get committed(): Checkpoint | undefined {
    return this.#committed;
  }

  get planned(): BatchRange | undefined {
    return this.#planned;
  }

  plan(batch: BatchRange, required = true): Promise<void> {
    return this.#exclusively(async () => {
      this.#checkRange(batch);
      const next = (this.#committed?.batchId ?? -1) + 1;
      if (batch.batchId !== next) {
        throw this.#gap(batch, `the next batch is ${next}`);
      }
      if (this.#planned !== undefined && !saysFirst(this.#planned)) this.#checkPlanned(batch);
      this.#planned = { ...batch };
      // Nobody needs it to be durable: it is written together with the commit.
      if (!required) return;
      const { store } = this.#parts;
      const done = await store.commit((operation) => this.#withPlan(this.#owned(operation), batch));
      if (done === null) throw this.#fenced();
    });
  }

  commit(
    batch: BatchRange,
    { end, restart, state }: Omit<Checkpoint, "batchId">,
    records: readonly OutputRecord[],
  ): Promise<void> {
    return this.#exclusively(async () => {
      this.#checkRange(batch);
      if (this.#planned === undefined) throw this.#gap(batch, "it was not planned");
      this.#checkPlanned(batch);
      const checkpoint: Checkpoint = {
        batchId: batch.batchId,
        end,
        restart,
        ...(state === undefined ? {} : { state }),
      };
      this.#checkCheckpoint(checkpoint);
      const entry = encodeCheckpoint(checkpoint);
      if (records.length > 0) await this.#writeRecords(entry, records);
      const { store } = this.#parts;
      const done = await store.commit((operation) =>
        this.#withPlan(this.#owned(operation), batch)
          .set(this.#keys.commits(batch.batchId), entry)
          .delete(this.#keys.commits(batch.batchId - keptEntries))
      );
      // With records the database has decided already: a successor that was faster found the batch there.
      if (done === null && records.length === 0) throw this.#fenced();
      this.#committed = checkpoint;
      this.#planned = undefined;
    });
  }

  /** Nothing to do here: the epoch, not the generation, says who owns the checkpoint. */
  renew(_membership: Membership): void {}

  async close(): Promise<void> {
    if (!this.#closed) {
      this.#closed = true;
      this.#onClose(this);
    }
    await this.#busy;
  }

  /** One step after the other, in call order. */
  #exclusively<T>(step: () => Promise<T>): Promise<T> {
    const result = this.#busy.then(() => {
      if (this.#closed) {
        throw new LogError(
          "CLOSED",
          `Cannot go on with ${this.#keys.name}: the committer is closed`,
        );
      }
      return step();
    });
    this.#busy = result.catch(() => {/* Whoever called the step is told. */});
    return result;
  }

  #owned(operation: Deno.AtomicOperation): Deno.AtomicOperation {
    return operation.check({ key: this.#keys.owner, versionstamp: this.#ownership });
  }

  #withPlan(operation: Deno.AtomicOperation, batch: BatchRange): Deno.AtomicOperation {
    return operation
      .set(this.#keys.offsets(batch.batchId), encodeBatch(batch))
      .delete(this.#keys.offsets(batch.batchId - keptEntries));
  }

  async #writeRecords(entry: string, records: readonly OutputRecord[]): Promise<void> {
    const { db, topics, records: table, producers, changes, clock, appender } = this.#parts;
    const encoded = records.map(fitting);
    const elsewhere = encoded.filter(({ record }, i) => record.topic !== records[i]!.topic);
    if (elsewhere.length > 0) {
      // By itself: what is made within a write that fails must not be remembered.
      await db.write(`make topics for ${this.#keys.name}`, () => {
        for (const { record } of elsewhere) topics.ensure(record.topic, record.partition + 1);
      });
    }
    const bytes = encoded.reduce((sum, { row }) => sum + row.size, 0);
    await db.write(`commit a batch of ${this.#keys.name}`, () => {
      if (!producers.advance(this.#keys.producer, this.#epoch, entry)) throw this.#fenced();
      const [change, now] = [table.nextChange(), clock.now()];
      const touched = new Map<number, number>();
      for (const { record, row } of encoded) {
        const id = topics.id(record.topic, record.partition);
        table.append(id, [row], change, now);
        touched.set(id, (touched.get(id) ?? 0) + 1);
      }
      appender.expire(touched, change, now);
    }, { durable: true, bytes });
    changes.written();
  }

  #checkRange({ batchId, start, end }: BatchRange): void {
    if ([batchId, start, end].every((n) => Number.isSafeInteger(n) && n >= 0) && start <= end) {
      return;
    }
    throw new LogError(
      "INVALID",
      `Cannot take batch ${batchId} with offsets ${start} to ${end}: expected whole numbers from 0, start ≤ end`,
    );
  }

  #checkCheckpoint({ end, restart, state }: Checkpoint): void {
    if (![end, restart].every((n) => Number.isSafeInteger(n) && n >= 0) || restart > end) {
      throw new LogError(
        "INVALID",
        `Cannot commit end ${end} and restart ${restart}: expected whole numbers from 0, restart ≤ end`,
      );
    }
    if ((state?.length ?? 0) > maxStateBytes) {
      throw new LogError(
        "TOO_LARGE",
        `Cannot commit ${
          state!.length
        } bytes of state of ${this.#keys.name}: expected at most ${maxStateBytes}`,
      );
    }
  }

  #checkPlanned(batch: BatchRange): void {
    const { batchId, start, end } = this.#planned!;
    if (batch.batchId === batchId && batch.start === start && batch.end === end) return;
    throw this.#gap(
      batch,
      `batch ${batchId} with offsets ${start} to ${end} was planned and has to be run first`,
    );
  }

  #gap({ batchId, start, end }: BatchRange, why: string): LogError {
    return new LogError(
      "CHECKPOINT_GAP",
      `Cannot take batch ${batchId} with offsets ${start} to ${end} in ${this.#keys.name}: ${why}`,
    );
  }

  #fenced(): LogError {
    const { query, topic, partition } = this.#options;
    return new LogError(
      "FENCED",
      `Cannot write for query ${query} on ${topic}/${partition}: another runtime has taken it over`,
    );
  }
}

/**
 * The record, or what is to be written instead.
 *
 * @throws {LogError} `TOO_LARGE` when there is nothing smaller to be had.
 */
function fitting(record: OutputRecord): { record: OutputRecord; row: EncodedRecord } {
  try {
    return { record, row: encodeRecord(record) };
  } catch (error) {
    const tooLarge = error instanceof LogError && error.code === "TOO_LARGE";
    if (!tooLarge || record.smaller === undefined) throw error;
    return fitting(record.smaller());
  }
}
