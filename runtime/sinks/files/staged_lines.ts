// Writes a lane's batches to a shared file exactly once: staged durably before the commit,
// published after it, and finished by the next owner after a crash in between.
import type { BatchRange } from "../../log/log.ts";
import type { SinkContext } from "../../definition/sink.ts";
import { exists, syncPath } from "../../base/folders.ts";
import { writeDurably } from "./io.ts";
import { isCommitted, laneKey, type Position } from "./lane.ts";
import { SharedFile, type SharedFileOptions } from "./shared_file.ts";
import { Journal } from "./journal.ts";

interface StagedLinesOptions extends SharedFileOptions {
  readonly path: string;
  /** Folder in which entries' files become visible; absent if entries name no files. */
  readonly folder?: string;
  /** The last source offset of a line of this lane; undefined for other lines. */
  readonly lastOffsetOf: (line: string) => number | undefined;
}

interface Entry {
  readonly position: Position;
  /** First source offset of the batch. */
  readonly start: number;
  /** Lines for the shared file. */
  readonly lines: string;
  /** Names of files in the lane's generation to make visible under the same names. */
  readonly files: readonly string[];
}

const STAGE = { name: "stage", headerBytes: 16 } as const;
/** The size of a stage at which its lines are made durable in the shared file. */
const MAXIMUM_STAGE = 1 << 18;

interface Parts {
  readonly options: StagedLinesOptions;
  readonly context: SinkContext;
  readonly lane: string;
  readonly shared: SharedFile;
  readonly stage: Journal<Entry>;
}

export class StagedLines {
  readonly #parts: Parts;
  #confirmed = false;
  /** Why the file may hold lines beyond the checkpoint; undefined if it does not. */
  #rewind: string | undefined;
  #pending: Entry | undefined;

  private constructor(parts: Parts, rewind: string | undefined) {
    this.#parts = parts;
    this.#rewind = rewind;
  }

  /** Takes over the lane, and publishes batches that were committed but not published. */
  static async open(options: StagedLinesOptions, context: SinkContext): Promise<StagedLines> {
    const lane = laneKey(context);
    const shared = await SharedFile.open(options.path, options);
    let stage: Journal<Entry> | undefined;
    try {
      stage = await Journal.open<Entry>(`${options.root}/lanes/${lane}`, STAGE);
      const { position, foreign } = await shared.position(lane);
      const rewind = position === undefined
        ? foreign ? "existed before" : undefined
        : isCommitted(position, context)
        ? undefined
        : "was ahead of the checkpoint";
      const lines = new StagedLines({ options, context, lane, shared, stage }, rewind);
      const { fence } = stage;
      await fence.guard(async () => {
        if (rewind === undefined) await lines.#finishLeft();
        await fence.trim();
      });
      return lines;
    } catch (error) {
      stage?.close();
      await shared.close();
      throw error;
    }
  }

  async prepare(name: string, bytes: Uint8Array): Promise<void> {
    const { fence } = this.#parts.stage;
    await fence.guard(() => writeDurably(`${fence.directory}/${name}`, bytes));
  }

  /** Makes a batch survive a crash of the machine, while still hidden. */
  async stage(batch: BatchRange, lines: string, files: readonly string[]): Promise<void> {
    const { fence } = this.#parts.stage;
    fence.check();
    if (files.length > 0) await fence.guard(() => syncPath(fence.directory));
    const position = { batch: batch.batchId, end: batch.end };
    const entry = { position, start: batch.start, lines, files };
    await this.#parts.stage.add(entry);
    this.#pending = entry;
  }

  async publish(): Promise<void> {
    if (!this.#confirmed) await this.#parts.stage.fence.guard(() => this.#confirm());
    const entry = this.#pending;
    if (entry === undefined) return;
    await this.#show(entry, (name, path) => this.#parts.stage.fence.publish(name, path));
    this.#pending = undefined;
    if (this.#parts.stage.size >= MAXIMUM_STAGE) await this.#settle();
  }

  async close(): Promise<void> {
    try {
      if (this.#confirmed && this.#pending === undefined) await this.#settle(true);
    } finally {
      this.#parts.stage.close();
      await this.#parts.shared.close();
    }
  }

  async #settle(clean = false): Promise<void> {
    await this.#parts.shared.sync(clean);
    await this.#parts.stage.clear();
  }

  /** Completes the takeover after this owner's first commit. */
  async #confirm(): Promise<void> {
    if (this.#rewind !== undefined) {
      const { committedEnd, committedBatch, topic, partition } = this.#parts.context;
      const unfinished = this.#unfinished();
      const end = Math.min(unfinished?.start ?? committedEnd, committedEnd);
      const batch = (unfinished?.position.batch ?? committedBatch + 1) - 1;
      const keep = (line: string) => (this.#parts.options.lastOffsetOf(line) ?? -1) < end;
      await this.#parts.shared.rewind(
        this.#parts.lane,
        { batch, end },
        keep,
        this.#parts.stage.fence,
      );
      this.#parts.context.report(
        `${this.#parts.options.path} ${this.#rewind}: it continues at offset ${end} of ${topic} ` +
          `partition ${partition}, without later lines of this query and partition; all others stay`,
      );
      this.#rewind = undefined;
      await this.#finishLeft();
    }
    await this.#parts.stage.confirm();
    this.#confirmed = true;
  }

  // The last batch of the checkpoint, if a former owner staged it. The newest entry counts; the same batch with
  // another end was abandoned.
  #unfinished(): Entry | undefined {
    const { committedBatch, committedEnd } = this.#parts.context;
    return this.#parts.stage.left.flatMap(({ entries }) => entries.toReversed())
      .find(({ position: { batch, end } }) => end === committedEnd && batch === committedBatch);
  }

  /**
   * Publishes what former owners committed but did not publish: the last batch, or several that a crash of the
   * machine took from the file.
   */
  async #finishLeft(): Promise<void> {
    const { context, lane, shared, stage } = this.#parts;
    const { position } = await shared.position(lane);
    const left = stage.left.toReversed().flatMap(({ folder, entries }) =>
      entries.map((entry) => ({ folder, entry }))
    ).filter(({ entry }) =>
      isCommitted(entry.position, context) && entry.position.batch > (position?.batch ?? -1)
    );
    for (const { folder, entry } of left) {
      await this.#show(entry, async (name, path) => {
        // What its owner has moved already is not here.
        const hidden = `${folder}/${name}`;
        if (await exists(hidden)) await Deno.rename(hidden, path);
      });
    }
    if (left.length > 0) await shared.sync();
  }

  /** Makes a batch visible: its files, then its lines. */
  async #show(
    { position, lines, files }: Entry,
    move: (name: string, path: string) => Promise<unknown>,
  ): Promise<void> {
    const { lane, shared, options: { folder } } = this.#parts;
    for (const name of files) await move(name, `${folder}/${name}`);
    if (files.length > 0) await syncPath(folder!);
    await shared.publish(lane, position, new TextEncoder().encode(lines));
  }
}
