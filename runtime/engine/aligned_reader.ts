// Reads two partitions as one lane: its own (left) and another camera's (right).
//
// The engine sees a reader of the left partition that returns each frame with its partner once the pair is
// decided. The returned left frames determine how far the right partition is read, so that offsets, plans and
// batches of the lane are those of the left partition alone.
import { besideOf, pairOf } from "../definition/align.ts";
import type { Frame } from "../definition/frame.ts";
import { alignmentOf } from "../definition/plan.ts";
import type { SourceProgress } from "../definition/progress.ts";
import { startPoint } from "../definition/source_options.ts";
import { LogError } from "../log/log.ts";
import { MAX_STEP_MS } from "../windows/window_options.ts";
import { Intake, type IntakeOptions, type LaneReader } from "./intake.ts";
import type { ExecutionOptions, FrameGroups } from "./options.ts";
import { Pairing, type PairingState, type Side } from "./pairing.ts";

/** Right frames per read. */
const CHUNK = 64;
/** A wait of this length is reported, milliseconds. */
const HELD_MS = 200;
/** Left frames that say where the right partition begins: the time of a single one may be far off. */
const FIRST = 16;
/** The right camera counts as silent when left frames have waited for it this long, milliseconds. */
const SILENT_MS = 10_000;

/** The lane's position in the right partition, as saved in a checkpoint. */
export interface SavedAlignment extends PairingState {
  readonly partition: number;
  /** Offset of the keyframe that the right frame at `at` depends on. */
  readonly keyframe?: number;
}

/** Where a lane with two cameras starts. */
export interface AlignedStart {
  /** From the checkpoint. */
  readonly aligned: SavedAlignment | undefined;
  /** Left offset to read from. */
  readonly readFrom: number;
  /**
   * Left frames below this offset were decided in an earlier run: their partners are in the log.
   */
  readonly decided: number;
}

interface Parts {
  readonly options: ExecutionOptions;
  readonly start: AlignedStart;
  readonly left: LaneReader;
  readonly right: Intake;
  readonly rightGroups: FrameGroups | undefined;
  readonly partition: number;
  readonly pairing: Pairing;
}

export class AlignedReader implements LaneReader {
  readonly #parts: Parts;
  /** Where pairing was before the left frame at an offset or after it, oldest first. */
  #states: { readonly from: number; readonly state: PairingState }[];
  held: number | undefined;
  /** Position in the right partition at the last report. */
  #reported: number;
  #read = 0;

  private constructor(parts: Parts) {
    const { pairing, start } = this.#parts = parts;
    this.#states = [{ from: start.readFrom, state: pairing.state }];
    this.#reported = pairing.state.at;
  }

  /**
   * Opens the right partition; undefined for a lane with one camera.
   *
   * @param beside intake options of the right partition, with the source of the left one
   * @throws {RangeError} if the query aligns this partition with no other
   */
  static async open(
    options: ExecutionOptions,
    beside: IntakeOptions,
    start: AlignedStart,
    onClose: (close: () => Promise<void>) => void,
  ): Promise<AlignedReader | undefined> {
    const { plan, reader, topic, onProblem } = options;
    const alignment = alignmentOf(plan);
    if (alignment === undefined) return undefined;
    const partition = besideOf(alignment, options.partition);
    if (partition === undefined) {
      throw new RangeError(
        `Cannot align partition ${options.partition} of ${topic}: query ${plan.name} aligns it with no other partition`,
      );
    }
    const { toleranceMs } = alignment;
    const known = start.aligned?.partition === partition ? start.aligned : undefined;
    const at = known?.at ?? await startOf(options, partition, start.readFrom, toleranceMs);
    const keyframe = known?.keyframe ?? at;
    const source = await reader.open(topic, partition, keyframe, onProblem);
    onClose(() => source.close());
    const rightGroups = options.groups?.();
    if (rightGroups !== undefined) onClose(() => rightGroups.close());
    const right = new Intake({ ...beside, source, partition, groups: rightGroups });
    if (keyframe < at) await right.readGroup(keyframe, at);
    const pairing = new Pairing(toleranceMs, known ?? { at, left: null, right: null });
    const left = beside.source;
    return new AlignedReader({ options, start, left, right, rightGroups, partition, pairing });
  }

  /** Whether the checkpoint does not contain the right partition's start yet. */
  get isNew(): boolean {
    return this.#parts.start.aligned?.partition !== this.#parts.partition;
  }

  get position(): number {
    return this.#parts.pairing.next ?? this.#parts.left.position;
  }

  get latest(): number {
    return this.#parts.left.latest;
  }

  /** Always 0: a frame only counts once it is decided. */
  get buffered(): number {
    return 0;
  }

  async read(max: number, signal?: AbortSignal, until?: number): Promise<Frame[]> {
    this.held = undefined;
    const frames: Frame[] = [];
    while (frames.length < max && this.position < (until ?? Infinity)) {
      const decided = this.#parts.pairing.take();
      if (typeof decided === "string") {
        const { buffered } = decided === "left" ? this.#parts.left : this.#parts.right;
        if (frames.length > 0 && buffered === 0) break;
        const bounded = until !== undefined && this.position >= this.#parts.start.decided;
        const more = decided === "left"
          ? await this.#readLeft(max, signal, until, bounded)
          : await this.#readRight(bounded);
        if (more) continue;
        this.held = this.position;
        break;
      }
      const { frame, other } = decided;
      frames.push(other === undefined ? frame : pairOf(frame, other));
      this.#states.push({ from: frame.offset + 1, state: this.#parts.pairing.state });
    }
    return frames;
  }

  /** @returns false when there is nothing, and the read does not wait. */
  async #readLeft(
    max: number,
    signal: AbortSignal | undefined,
    until: number | undefined,
    bounded: boolean,
  ): Promise<boolean> {
    // Without a frame that waits for the next one, nothing behind the end of the read is needed.
    if (this.#parts.pairing.next !== undefined) {
      until = bounded ? await this.#endOf("left") : undefined;
    }
    const { position } = this.#parts.left;
    if (until === position) return false;
    // A topic that was created again may be shorter: the reader says so.
    const reading = this.#parts.left.read(max, signal, until! < position ? undefined : until);
    const frames = await (until === undefined ? this.#wait("left", reading) : reading);
    this.#parts.pairing.push("left", frames);
    return frames.length > 0;
  }

  async #readRight(bounded: boolean): Promise<boolean> {
    try {
      const until = bounded ? await this.#endOf("right") : undefined;
      if (until === this.#parts.right.position) return false;
      const frames = until === undefined
        ? await this.#wait("right", this.#nextRight())
        : await this.#parts.right.readUntil(CHUNK, until);
      this.#parts.pairing.push("right", frames);
      this.#read += frames.length;
      if (this.#parts.right.takeRecreated() === undefined) return frames.length > 0 || !bounded;
      const { left } = this.#parts.pairing.state;
      this.#parts.pairing.beginRight({ at: this.#parts.right.position, left, right: null });
      return true;
    } catch (error) {
      if (!(error instanceof LogError) || error.code !== "OFFSET_OUT_OF_RANGE") throw error;
      // Without a range, since it is not the left partition's.
      throw new LogError(error.code, error.message, { cause: error });
    }
  }

  /** The next right frames; none if the topic was created again. */
  async #nextRight(): Promise<readonly Frame[]> {
    const { right } = this.#parts;
    for (;;) {
      const taken = right.take(CHUNK);
      if (taken !== undefined || right.recreated) return taken?.frames ?? [];
      await right.arrival(Infinity);
    }
  }

  async #endOf(side: Side): Promise<number> {
    const { options: { log, topic, partition }, partition: other } = this.#parts;
    const { position, latest } = side === "left" ? this.#parts.left : this.#parts.right;
    if (latest > position) return latest;
    return (await log.offsets(topic, side === "left" ? partition : other)).latest;
  }

  /** Waits for frames; reports when frames of the other side wait for them. */
  async #wait<T>(side: Side, frames: Promise<T>): Promise<T> {
    const { options: { clock, onProblem, onHeld }, partition } = this.#parts;
    const arrived = new AbortController();
    const after = (ms: number, report: () => void) =>
      void clock.sleep(ms, arrived.signal).then(report, () => {});
    after(HELD_MS, () =>
      onHeld?.({
        from: this.#states.at(-1)!.from,
        left: side === "left" ? this.#parts.left.position : Infinity,
        right: side === "right" ? this.#parts.right.position : Infinity,
      }));
    let silent = false;
    if (side === "right") {
      after(SILENT_MS, () => {
        silent = true;
        const missing = `No frame of partition ${partition} has come for ${SILENT_MS / 1000} s`;
        onProblem?.({
          reason: "SILENT_CAMERA",
          message: `${missing}: frames of this one wait to be aligned`,
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

  seek(offset: number): void {
    if (offset < this.position) {
      this.#parts.pairing.beginLeft();
      this.#states = [{ from: offset, state: this.#parts.pairing.state }];
    }
    this.#parts.pairing.skip(offset);
    if (this.#parts.pairing.next === undefined) this.#parts.left.seek(offset);
  }

  /**
   * Where a restart from `offset` begins in the right partition. Offsets only grow from call to
   * call.
   */
  savedAt(offset: number): SavedAlignment {
    const states = this.#states;
    while (states[1] !== undefined && states[1].from <= offset) states.shift();
    const { at, left, right } = states[0]!.state;
    const { partition, rightGroups } = this.#parts;
    const keyframe = rightGroups?.neededFor(at) ?? at;
    return { partition, at, left, right, ...(keyframe === at ? {} : { keyframe }) };
  }

  /** Progress in the right partition since the last call, up to the left frame at `offset`. */
  progress(offset: number): SourceProgress {
    const { options: { log, topic }, partition } = this.#parts;
    const at = (value: number) => ({ [topic]: { [String(partition)]: value } });
    const start = this.#reported;
    const end = this.#states.findLast(({ from }) => from <= offset)?.state.at ?? start;
    const numInputRows = this.#read;
    this.#reported = end;
    this.#read = 0;
    return {
      description: `${log.url}/${topic}/${partition}`,
      startOffset: at(start),
      endOffset: at(end),
      latestOffset: at(Math.max(this.#parts.right.latest, end)),
      numInputRows,
      metrics: {},
    };
  }
}

/** The first frame of the other partition that could be a partner of one of the first left ones. */
async function startOf(
  { plan, log, reader, topic, partition }: ExecutionOptions,
  other: number,
  readFrom: number,
  toleranceMs: number,
): Promise<number> {
  const { earliest, latest } = await log.offsets(topic, partition);
  if (latest > earliest) {
    const first = Math.max(earliest, Math.min(readFrom, latest - 1));
    const source = await reader.open(topic, partition, first);
    try {
      const times: number[] = [];
      while (times.length < FIRST && source.position < latest) {
        const frames = await source.read(FIRST - times.length, undefined, latest);
        if (frames.length === 0) break;
        times.push(...frames.map(({ timestamp }) => timestamp));
      }
      times.sort((a, b) => a - b);
      const usual = (times[(times.length - 1) >> 1] ?? 0) - MAX_STEP_MS;
      const offsetAt = (time: number) =>
        log.offsetForTime(topic, other, Math.max(0, Math.floor(time)));
      for (const time of times) {
        const from = await offsetAt(time - toleranceMs);
        // One that is far too low would cost the whole backlog: it counts only if it may have a partner.
        if (time >= usual || from < await offsetAt(time + toleranceMs + 1)) return from;
      }
    } finally {
      await source.close();
    }
  }
  const { kind } = startPoint(plan.source, topic, partition);
  const range = await log.offsets(topic, other);
  return kind === "latest" ? range.latest : range.earliest;
}
