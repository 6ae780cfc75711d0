/**
 * A lane that reads two partitions: its own, the left one, and another camera's beside it.
 *
 * To the rest of the engine it is a reader of the left partition that gives each frame when it is
 * decided, with its partner. How far the right one is read follows from the left frames that were given,
 * so that offsets, plans and batches of the lane are those of the left partition alone.
 *
 * @module
 */
import { pairOf } from "../definition/align.ts";
import type { Frame } from "../definition/frame.ts";
import { LogError, type OffsetRange, type PartitionReader } from "../log/log.ts";
import type { Intake } from "./intake.ts";
import type { ExecutionOptions, FrameGroups } from "./options.ts";
import type { ReadBeside } from "./reporter.ts";
import { Pairing, type PairingState } from "./pairing.ts";

/** Right frames that are read at once. */
const CHUNK = 64;
/** A wait of this length is reported, milliseconds. */
const HELD_MS = 200;
/** The right camera counts as silent when left frames have waited for it so long, milliseconds. */
const SILENT_MS = 10_000;

/** Where a lane is in the right partition, as a checkpoint keeps it. */
export interface SavedAlignment extends PairingState {
  /** The right partition. */
  readonly partition: number;
  /** Offset of the keyframe on which the right frame at `at` hangs. */
  readonly keyframe?: number;
}

/** What a lane of two cameras works with. */
export interface AlignedReaderOptions
  extends Pick<ExecutionOptions, "clock" | "onProblem" | "onHeld"> {
  readonly left: PartitionReader;
  readonly right: Intake;
  readonly rightGroups: FrameGroups | undefined;
  readonly saved: SavedAlignment;
  /** Nothing was saved: where the right partition begins must be kept before the first batch. */
  readonly isNew: boolean;
  /** Left frames below this offset were decided in an earlier run: what they wait for comes. */
  readonly decided: number;
  readonly toleranceMs: number;
  /** What the log holds of a partition. */
  readonly offsets: (side: Side) => Promise<OffsetRange>;
  /** The right partition, for progress reports. */
  readonly description: string;
}

type Side = "left" | "right";

/** Reads two partitions as one. */
export class AlignedReader implements PartitionReader {
  readonly #options: AlignedReaderOptions;
  readonly #left: PartitionReader;
  readonly #right: Intake;
  readonly #pairing: Pairing;
  /** Frames that left ones hang on are read as they are before pairing begins. */
  #begun = false;
  /** Where pairing was before the left frame at an offset or after it, oldest first. */
  #states: { readonly from: number; readonly state: PairingState }[];
  #held: number | undefined;
  /** Of the right partition, at the last report. */
  #reported: number;
  #read = 0;

  constructor(options: AlignedReaderOptions) {
    this.#options = options;
    this.#left = options.left;
    this.#right = options.right;
    this.#pairing = new Pairing(options.toleranceMs, options.saved);
    this.#states = [{ from: options.left.position, state: options.saved }];
    this.#reported = options.saved.at;
  }

  /** Whether the checkpoint does not say yet where the right partition begins. */
  get isNew(): boolean {
    return this.#options.isNew;
  }

  /** Frames are paired from here on. */
  begin(): void {
    this.#begun = true;
  }

  get position(): number {
    return this.#pairing.next ?? this.#left.position;
  }

  /**
   * Where the last read ended that waits for nothing: the frame at this offset can be decided only when
   * one of the cameras goes on. Undefined when it got as far as it was asked to.
   */
  get held(): number | undefined {
    return this.#held;
  }

  get latest(): number {
    return this.#left.latest;
  }

  get status(): PartitionReader["status"] {
    return this.#left.status;
  }

  /** Which frames are decided is known when they are read. */
  get buffered(): number {
    return this.#begun ? 0 : this.#left.buffered;
  }

  async read(max: number, signal?: AbortSignal, until?: number): Promise<Frame[]> {
    if (!this.#begun) return await this.#left.read(max, signal, until);
    this.#held = undefined;
    const frames: Frame[] = [];
    while (frames.length < max && this.position < (until ?? Infinity)) {
      const decided = this.#pairing.take();
      if (typeof decided === "string") {
        const { buffered } = decided === "left" ? this.#left : this.#right;
        if (frames.length > 0 && buffered === 0) break;
        const bounded = until !== undefined && this.position >= this.#options.decided;
        const more = decided === "left"
          ? await this.#readLeft(max, signal, bounded)
          : await this.#readRight(bounded);
        if (more) continue;
        this.#held = this.position;
        break;
      }
      const { frame, other } = decided;
      frames.push(other === undefined ? frame : pairOf(frame, other));
      this.#states.push({ from: frame.offset + 1, state: this.#pairing.state });
    }
    return frames;
  }

  /** @returns false when nothing is there, and it is not waited for. */
  async #readLeft(max: number, signal?: AbortSignal, bounded = false): Promise<boolean> {
    const until = bounded ? await this.#endOf("left") : undefined;
    const { position } = this.#left;
    if (until === position) return false;
    // A topic that was created again may be shorter: the reader says so.
    const reading = this.#left.read(max, signal, until! < position ? undefined : until);
    const frames = await (bounded ? reading : this.#wait("left", reading));
    this.#pairing.pushLeft(frames);
    return frames.length > 0;
  }

  async #readRight(bounded: boolean): Promise<boolean> {
    try {
      const until = bounded ? await this.#endOf("right") : undefined;
      if (until === this.#right.position) return false;
      const frames = until === undefined
        ? (await this.#wait("right", this.#right.readBefore(CHUNK, Infinity)))?.frames ?? []
        : await this.#right.readUntil(CHUNK, until);
      this.#pairing.pushRight(frames);
      this.#read += frames.length;
      if (this.#right.takeRecreated() === undefined) return frames.length > 0 || !bounded;
      const { left } = this.#pairing.state;
      this.#pairing.beginRight({ at: this.#right.position, left, right: null });
      return true;
    } catch (error) {
      if (!(error instanceof LogError) || error.code !== "OFFSET_OUT_OF_RANGE") throw error;
      // Without a range: it is not the left partition's.
      throw new LogError(error.code, error.message, { cause: error });
    }
  }

  /** Waits for frames, and tells that others wait for them. */
  async #wait<T>(side: Side, frames: Promise<T>): Promise<T> {
    const { clock, onProblem, onHeld, saved: { partition } } = this.#options;
    const arrived = new AbortController();
    const after = (ms: number, tell: () => void) =>
      void clock.sleep(ms, arrived.signal).then(tell, () => {});
    after(HELD_MS, () =>
      onHeld?.({
        from: this.#states.at(-1)!.from,
        left: side === "left" ? this.#left.position : Infinity,
        right: side === "right" ? this.#right.position : Infinity,
      }));
    let silent = false;
    if (side === "right") {
      after(SILENT_MS, () => {
        silent = true;
        const seconds = SILENT_MS / 1000;
        onProblem?.({
          reason: "SILENT_CAMERA",
          message:
            `No frame of partition ${partition} has come for ${seconds} s: those of this one wait to be aligned`,
        });
      });
    }
    try {
      return await frames;
    } finally {
      arrived.abort();
      if (silent) onProblem?.();
    }
  }

  async #endOf(side: Side): Promise<number> {
    const { position, latest } = side === "left" ? this.#left : this.#right;
    return latest > position ? latest : (await this.#options.offsets(side)).latest;
  }

  seek(offset: number): void {
    if (!this.#begun) return this.#left.seek(offset);
    if (offset < this.position) {
      this.#pairing.beginLeft();
      this.#states = [{ from: offset, state: this.#pairing.state }];
    }
    this.#pairing.skip(offset);
    if (this.#pairing.next === undefined) this.#left.seek(offset);
  }

  /** Where a restart that reads from `offset` on begins in the right partition. Offsets only grow from call to call. */
  savedAt(offset: number): SavedAlignment {
    const states = this.#states;
    while (states[1] !== undefined && states[1].from <= offset) states.shift();
    const { at, left, right } = states[0]!.state;
    const keyframe = this.#options.rightGroups?.neededFor(at) ?? at;
    const { partition } = this.#options.saved;
    return { partition, at, left, right, ...(keyframe === at ? {} : { keyframe }) };
  }

  /** What was taken of the right partition since the last call, up to the left frame at `offset`. */
  report(offset: number): ReadBeside {
    const { description, saved: { partition } } = this.#options;
    const start = this.#reported;
    const end = this.#states.findLast(({ from }) => from <= offset)?.state.at ?? start;
    const frames = this.#read;
    this.#reported = end;
    this.#read = 0;
    return {
      description,
      partition,
      start,
      end,
      latest: Math.max(this.#right.latest, end),
      frames,
    };
  }

  close(): Promise<void> {
    return this.#left.close();
  }
}
