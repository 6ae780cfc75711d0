// A lane's recording across owners: the content of the files after each batch, and how the next
// owner takes over.
//
// Pictures are written before their batch is committed, so that a file can always be played up to
// the last commit. The state records how far the files had come before and after the last batch;
// the next owner cuts back to the committed part. Committed pictures missing from the files (after
// a crash of the machine, or one between a commit and a deferred write) are computed again: see
// `SinkTask.refeed`.
import type { BatchRange } from "../../log/log.ts";
import { beforeGroup, type Piece, type Progress } from "../../video/recorder.ts";
import type { SinkContext } from "../../definition/sink.ts";
import { exists, ifThere, syncPath } from "../../base/folders.ts";
import { Fence } from "./fence.ts";
import { isCommitted, laneKey, type Position } from "./lane.ts";
import { newestState, Slots } from "./slots.ts";
import { VideoFiles } from "./video_files.ts";

const STATE_CAPACITY = 1 << 18;

interface State {
  /** Absent before the first batch. */
  readonly position?: Position;
  readonly progress: Progress;
  /** The state before that batch; absent if there was none. */
  readonly before?: { readonly position: Position; readonly progress: Progress };
  /** Files started in the batch. */
  readonly begun: readonly string[];
  /** Files that an owner was about to start; their content does not count. */
  readonly intended?: readonly string[];
}

interface Beginning {
  readonly progress: Progress;
  readonly position?: Position;
  readonly surplus: readonly string[];
  /** True if something must be undone, which an owner may only do after its own first commit. */
  readonly undo: boolean;
}

interface Parts {
  readonly fence: Fence;
  readonly files: VideoFiles;
  readonly alive: Deno.FsFile;
  readonly stateFile: Deno.FsFile;
  readonly state: Slots<State>;
  /** True if former owners may still write to their files. */
  readonly copy: boolean;
}

/** One owner of a lane's recording. Calls must not overlap. */
export class VideoLane {
  readonly #context: SinkContext;
  readonly #parts: Parts;
  progress: Progress;
  #position: Position | undefined;
  #committed: Position;
  #surplus: readonly string[];
  #undo: boolean;
  #started = false;
  /** True after a failed write: the next owner must check the files. */
  #broken = false;
  #held: { pieces: Piece[]; progress: Progress } | undefined;
  /** The first source offset missing from the files. */
  readonly missingFrom: number;

  private constructor(
    context: SinkContext,
    parts: Parts,
    beginning: Beginning,
    progress: Progress,
    missingFrom: number,
  ) {
    this.#context = context;
    this.#parts = parts;
    this.progress = progress;
    this.#position = beginning.position;
    this.#surplus = beginning.surplus;
    this.#undo = beginning.undo;
    this.#committed = { batch: context.committedBatch, end: context.committedEnd };
    this.missingFrom = missingFrom;
  }

  /** Takes over the lane. Files do not change yet. */
  static async open(directory: string, context: SinkContext): Promise<VideoLane> {
    const root = `${directory}/.framelane/video/${laneKey(context)}`;
    const fence = await Fence.claim(root);
    const left = await fence.adopt();
    const opened: Deno.FsFile[] = [];
    try {
      const alive = await markAlive(fence);
      opened.push(alive);
      const copy = !await allEnded(left);
      const files = new VideoFiles(directory, fence);
      const stateFile = await Deno.open(`${fence.directory}/state`, {
        read: true,
        write: true,
        create: true,
      });
      opened.push(stateFile);
      const state = new Slots<State>(stateFile, STATE_CAPACITY);
      const old = await newestState<State>(left, "state", STATE_CAPACITY);
      if (old !== undefined) {
        // This generation must be complete in itself, since older ones are removed.
        await files.inherit(old.folder);
        await state.write(old.state);
        await stateFile.sync();
        await syncPath(fence.directory);
      }
      await fence.trim();
      const newest = old?.state.progress.mark;
      const finished = newest !== undefined && await exists(`${directory}/${newest.file}`) &&
        await files.finished(newest);
      const beginning = beginningOf(old?.state, finished, context);
      const progress = await files.verified(beginning.progress);
      const damaged = progress !== beginning.progress;
      const { mark } = progress;
      const missingFrom = mark !== undefined
        ? mark.offset + 1
        : damaged
        ? beginning.progress.mark!.group.offset
        : old === undefined
        ? context.committedEnd
        : 0;
      if (damaged) {
        context.report(
          `${directory}/${beginning.progress.mark!.file} is damaged or missing: ` +
            `continuing from offset ${missingFrom}`,
        );
      }
      const parts = { fence, files, alive, stateFile, state, copy };
      const lost = damaged && mark === undefined && progress.files < beginning.progress.files;
      return new VideoLane(
        context,
        parts,
        lost
          ? { ...beginning, surplus: [...beginning.surplus, beginning.progress.mark!.file] }
          : beginning,
        progress,
        missingFrom,
      );
    } catch (error) {
      for (const file of opened) file.close();
      if (error instanceof Deno.errors.NotFound) fence.check();
      throw error;
    }
  }

  get beforeGroup(): Progress {
    return beforeGroup(this.progress);
  }

  /** Writes a recorder's pieces of a batch; waits for the batch's commit if necessary. */
  async write(pieces: readonly Piece[], progress: Progress, batch: BatchRange): Promise<void> {
    if (this.#undo) {
      this.#parts.fence.check();
      this.#held = { pieces: [...this.#held?.pieces ?? [], ...pieces], progress };
      return;
    }
    await this.#apply(pieces, progress, { batch: batch.batchId, end: batch.end });
  }

  /** Confirms that a batch was committed, and therefore that this owner is the current one. */
  async confirm(batch: BatchRange): Promise<void> {
    const position = { batch: batch.batchId, end: batch.end };
    if (this.#undo) {
      this.#undo = false;
      const { pieces, progress } = this.#held ?? { pieces: [], progress: this.progress };
      this.#held = undefined;
      await this.#apply(pieces, progress, position);
    }
    this.#committed = position;
    await this.#parts.fence.confirm();
  }

  /**
   * Stops, and finishes the current file unless its state is uncertain.
   *
   * @param pieces recomputed pieces of committed batches that are not written yet
   */
  async close(pieces: readonly Piece[], progress: Progress): Promise<void> {
    try {
      if (this.#broken || this.#undo || !this.#parts.fence.held) return;
      if (pieces.length > 0) await this.#apply(pieces, progress, this.#committed);
      const { mark } = this.progress;
      const position = this.#position;
      if (mark === undefined || position === undefined) return;
      if (position.batch > this.#committed.batch) return;
      const changed = this.#started || this.#surplus.length > 0;
      if (!changed && await this.#parts.files.finished(mark)) return;
      await this.#start();
      await this.#parts.files.finish(mark);
    } finally {
      this.#parts.files.close();
      this.#parts.stateFile.close();
      this.#parts.alive.close();
    }
  }

  async #apply(pieces: readonly Piece[], progress: Progress, position: Position): Promise<void> {
    try {
      await this.#start();
      const now = { ...(this.#position && { position: this.#position }), progress: this.progress };
      const intended = pieces.flatMap((piece) => piece.kind === "begin" ? [piece.file] : []);
      if (intended.length > 0) await this.#parts.state.write({ ...now, begun: [], intended });
      const { begun, renamed } = await this.#parts.files.apply(pieces, progress.mark);
      for (const name of renamed) {
        this.#context.report(
          `A video of another recording had the same name: it was renamed to ${name}`,
        );
      }
      const before = this.#position && { position: this.#position, progress: this.progress };
      await this.#parts.state.write({ position, progress, ...(before && { before }), begun });
      this.#parts.fence.check();
      await this.#parts.files.removeIndexes([this.progress.mark?.file, progress.mark?.file]);
      this.progress = progress;
      this.#position = position;
    } catch (error) {
      this.#broken = true;
      if (error instanceof Deno.errors.NotFound) this.#parts.fence.check();
      throw error;
    }
  }

  async #start(): Promise<void> {
    if (this.#started) return;
    this.#started = true;
    await this.#parts.files.remove(this.#surplus);
    const { mark } = this.progress;
    if (mark !== undefined) await this.#parts.files.resume(mark, this.#parts.copy);
  }
}

/** @param finished whether the newest file is: then its batch was committed, to whichever checkpoint */
function beginningOf(
  state: State | undefined,
  finished: boolean,
  context: SinkContext,
): Beginning {
  if (state === undefined) return { progress: { files: 0 }, surplus: [], undo: false };
  const { position, progress, before, begun: known, intended = [] } = state;
  const begun = [...known, ...intended];
  if (position === undefined) return { progress, surplus: intended, undo: false };
  if (isCommitted(position, context)) return { position, progress, surplus: intended, undo: false };
  // A batch that was committed with another end was certainly abandoned; one that the checkpoint
  // does not contain may have been committed by an owner that this one does not know of.
  const undo = position.batch > context.committedBatch;
  if (before === undefined && !finished) return { progress: { files: 0 }, surplus: begun, undo };
  if (before && isCommitted(before.position, context)) return { ...before, surplus: begun, undo };
  // The checkpoint is older than the files: this is another history, which starts its own files.
  return { progress: { files: 0 }, surplus: [], undo: true };
}

/** Locks the file that marks this owner as alive; close it at the end. */
async function markAlive(fence: Fence): Promise<Deno.FsFile> {
  const file = await Deno.open(`${fence.directory}/alive`, { write: true, create: true });
  await file.tryLock(true);
  return file;
}

/** True if every former owner has ended, so that none can write to its open files. */
async function allEnded(folders: readonly string[]): Promise<boolean> {
  for (const folder of folders) {
    // Without a file it was fenced before it locked one, so it cannot open anything.
    using file = await ifThere(Deno.open(`${folder}/alive`, { write: true }));
    if (file !== undefined && !await file.tryLock(true)) return false;
  }
  return true;
}
