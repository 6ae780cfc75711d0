// Any ONNX model on ordered windows of frames, described by its manifest.
import { dirname } from "node:path";
import {
  BadFrameError,
  checkOptions,
  checkWindowOptions,
  createWindower,
  type Finding,
  FLAG,
  type Frame,
  type FrameResult,
  oneOf,
  type Operator,
  type OperatorContext,
  type OperatorTask,
  range,
  type Result,
  type Window,
  type Windower,
  type WindowerState,
  type WindowOptions,
} from "../../../runtime/mod.ts";
import { mergeResults } from "../picture.ts";
import { savedState, stateBytes } from "../state.ts";
import { type Device, DEVICES } from "./device_names.ts";
import { checkDevice } from "./devices.ts";
import { FrameTensors } from "./frame_tensors.ts";
import { checkModel, Inference, type Inferred, labelsOf, remarksOf } from "./inference.ts";
import type { ModelManifest } from "./manifest.ts";
import { type ModelTensor, restoredState, THREADS, zeroState } from "./session.ts";

/** Settings that are not in the manifest. */
export interface ModelOptions {
  /** Threads for one run; 1 by default, since executors already use all cores. */
  readonly threads?: number;
  /** Device; `cpu` by default. */
  readonly device?: Device;
  /**
   * A longer pause between two frames starts new windows and resets the state;
   * milliseconds. By default: with `sampling.fps` one second or four ticks, else 5,000.
   */
  readonly maxGapMs?: number;
  /**
   * Decodes frames at reduced size if that is enough, which is cheaper and free of aliasing. True by default.
   */
  readonly reduce?: boolean;
}

/** A longer gap separates windows: frames after it have nothing to do with those before. */
const PAUSE_MS = 5_000;

/**
 * Runs a model on each window of a camera's frames. It takes frames, which it cuts into windows as
 * the manifest says, or windows of as many frames as the model takes.
 *
 * The manifest is read and checked against the file at once: hash, names, types, shapes. Each frame
 * is decoded once, however many windows share it. A frame that cannot be decoded is in no
 * window. State tensors begin with zeros at the start, after a pause, and when the camera or the owner
 * of the partition changes.
 *
 * @param manifest path or URL of a `model.json`; a path is relative to the working directory
 * @throws {ManifestError} naming all faults of the manifest, or all mismatches with the file.
 *
 * @example
 * ```ts
 * import { display, events, query } from "../../../runtime/mod.ts";
 * import { model } from "./model.ts";
 *
 * export const violence = (manifest: string) =>
 *   query("violence").readStream().process(model(manifest)).writeStream(display(), events());
 * ```
 */
export function model(
  manifest: string | URL,
  options: ModelOptions = {},
): Operator<Frame | Window, Finding> {
  const { threads = 1, reduce = true, device = "cpu" } = options;
  checkOptions("use model options", options, {
    threads: THREADS,
    device: oneOf(...DEVICES),
    maxGapMs: range({ min: 0, max: Infinity, above: true }),
    reduce: FLAG,
  });
  checkDevice(device);
  const model = checkModel(manifest);
  const checked = model.manifest;
  const windows = checkWindowOptions({
    frames: checked.frames,
    hop: checked.hop,
    ...checked.sampling,
    ...(options.maxGapMs !== undefined
      ? { maxGapMs: options.maxGapMs }
      : checked.sampling !== undefined && "fps" in checked.sampling
      ? {}
      : { maxGapMs: PAUSE_MS }),
  });
  const labels = labelsOf(model);
  return {
    name: `model(${checked.name})`,
    kind: "window",
    reads: [dirname(checked.file)],
    loads: ["onnxruntime-node"],
    remarks: remarksOf(model),
    ...(labels === undefined ? {} : { labels }),
    async open(context) {
      const inference = await Inference.open(model, { threads, device });
      try {
        return new ModelTask({ inference, windows, reduce, context });
      } catch (error) {
        await inference.close();
        throw error;
      }
    },
  };
}

interface ModelTaskOptions {
  readonly inference: Inference;
  readonly windows: WindowOptions;
  readonly reduce: boolean;
  readonly context: OperatorContext;
}

/** The last frame that a task has seen. */
type Last = Pick<Frame, "offset" | "timestamp"> & { readonly session: string | null };

/** The state of a task, besides the frames to reread. */
interface Saved {
  readonly windows: WindowerState;
  readonly last: Last | null;
  readonly begins: number | null;
  /** Base64 of the state tensors by input, if they are small. */
  readonly tensors: Readonly<Record<string, string>> | null;
}

/** A position from which the task can be restored. */
interface Place {
  readonly offset: number;
  readonly windows: WindowerState;
}

/** Most bytes of state tensors that are part of the checkpoint. */
const MOST_STATE = 12 * 1024;

class ModelTask implements OperatorTask<Frame | Window, Finding> {
  readonly #manifest: ModelManifest;
  readonly #inference: Inference;
  readonly #windower: Windower;
  readonly #maxGapMs: number;
  readonly #tensors: FrameTensors;
  #state: Readonly<Record<string, ModelTensor>> = {};
  #last: Last | undefined;
  /** The first frame after a pause or of another session, until a window that has it resets the state. */
  #begins: number | null = 0;
  /** Where the windows to reread began, oldest first. */
  readonly #places: Place[] = [];
  /** The restored state includes windows that end up to here. */
  #restored = -1;

  constructor({ inference, windows, reduce, context }: ModelTaskOptions) {
    const { manifest } = inference;
    this.#manifest = manifest;
    this.#inference = inference;
    const saved = savedState<Saved>(context);
    this.#windower = createWindower(windows, saved?.windows);
    this.#maxGapMs = windows.maxGapMs!;
    this.#tensors = new FrameTensors(manifest.inputs, reduce);
    const { tensors, last, begins } = saved ?? { tensors: null, last: null, begins: 0 };
    if (tensors === null || last === null) return;
    this.#last = last;
    this.#begins = begins;
    this.#restored = last.offset;
    this.#state = restoredState(manifest, tensors);
  }

  async process(input: Frame | Window): Promise<readonly Finding[]> {
    if ("frames" in input) return [await this.#processWindow(input)];
    if (this.#windower.wants(input)) await this.#tensors.add(input);
    const findings: Finding[] = [];
    const place = this.#place(input);
    const windows = this.#windower.push(input);
    this.#follow(input);
    if (this.#manifest.warmup > 0 && windows.length > 0) {
      this.#places.push(place);
      if (this.#places.length > this.#manifest.warmup) this.#places.shift();
    }
    for (const window of input.offset > this.#restored ? windows : []) {
      const frames = await this.#decoded(window.frames);
      if (frames.length > 0) findings.push(await this.#infer(window, frames));
    }
    this.#tensors.forgetBelow(this.#windower.restartPoint()?.offset ?? Infinity);
    return findings;
  }

  /** Where to start reading to get the same windows from this frame on. */
  #place({ offset }: Frame): Place {
    const point = this.#windower.restartPoint();
    return point === undefined
      ? { offset, windows: this.#windower.state() }
      : { offset: point.offset, windows: point.state };
  }

  async #processWindow(window: Window): Promise<Finding> {
    const { frames, name } = this.#manifest;
    if (window.frames.length !== frames) {
      throw new RangeError(
        `Cannot run model ${name} on a window of ${window.frames.length} frames: it takes ${frames}`,
      );
    }
    this.#tensors.forgetBelow(window.firstOffset);
    for (const frame of window.frames) await this.#tensors.add(frame);
    window.frames.forEach((frame) => this.#follow(frame));
    return await this.#infer(window, window.frames);
  }

  /**
   * The decoded frames of a window. One that is held for ticks without a frame may only now prove bad: its
   * neighbour replaces it.
   */
  async #decoded(frames: readonly Frame[]): Promise<readonly Frame[]> {
    for (const frame of frames) {
      try {
        await this.#tensors.add(frame);
      } catch (error) {
        if (!(error instanceof BadFrameError)) throw error;
      }
    }
    const good = frames.filter(({ offset }) => this.#tensors.has(offset));
    if (good.length === frames.length || good.length === 0) return good;
    let neighbour = good[0]!;
    return frames.map((frame) => {
      if (this.#tensors.has(frame.offset)) neighbour = frame;
      return neighbour;
    });
  }

  async #infer(window: Window, frames: readonly Frame[]): Promise<Finding> {
    if (this.#begins !== null && window.lastOffset >= this.#begins) {
      this.#state = zeroState(this.#manifest);
      this.#begins = null;
    }
    const tensors = this.#manifest.inputs.map((input, i) => {
      const step = frames.length / input.frames;
      return Array.from(
        { length: input.frames },
        (_, t) => this.#tensors.get(frames[t * step]!.offset, i),
      );
    });
    const inferred = await this.#inference.run(tensors, this.#state);
    this.#state = inferred.state;
    return this.#findingOf(window, inferred);
  }

  /** Notes whether a frame, unless already seen, comes after a pause or from another session. */
  #follow({ offset, timestamp, headers }: Frame): void {
    const last = this.#last, session = headers["session"] ?? null;
    if (last !== undefined && offset <= last.offset) return;
    this.#last = { offset, timestamp, session };
    if (last === undefined) return;
    const near = Math.abs(timestamp - last.timestamp) <= this.#maxGapMs;
    if (!near || session !== last.session) this.#begins = offset;
  }

  #findingOf(window: Window, inferred: Inferred): Finding {
    const { keep: [from, to] } = this.#manifest;
    const { scores, frames, data, ms } = inferred;
    const { topic, partition, key, number } = window;
    const { firstOffset, lastOffset, firstTimestamp, lastTimestamp } = window;
    const found: Result = {
      window: {
        firstOffset,
        lastOffset,
        firstTimestamp,
        lastTimestamp,
        frames: window.frames.length,
        gaps: window.gaps,
      },
      ...this.#inference.about(ms),
      ...(Object.keys(scores).length > 0 ? { scores } : {}),
      ...(frames.length > 0
        ? {
          frames: window.frames.slice(from, to).map(({ offset, timestamp }, i): FrameResult => ({
            offset,
            timestamp,
            ...frames[from + i],
          })),
        }
        : {}),
      ...(Object.keys(data).length > 0 ? { data } : {}),
    };
    return {
      topic,
      partition,
      key,
      firstOffset,
      lastOffset,
      ...(number === undefined ? {} : { number }),
      timestamp: lastTimestamp,
      result: withEarlier(window.frames, found),
      picture: window.frames.at(-1)!,
    };
  }

  /**
   * A small state is in the checkpoint. A large one is rebuilt from zero: `warmup` windows are reread.
   */
  restartOffset(): number | undefined {
    const open = this.#windower.restartPoint();
    return this.#places[0]?.offset ?? open?.offset;
  }

  snapshot(): Uint8Array {
    const point = this.#windower.restartPoint();
    const windows = this.#places[0]?.windows ?? point?.state ?? this.#windower.state();
    const tensors = this.#smallState();
    const last = this.#last ?? null;
    return stateBytes({ windows, last, begins: this.#begins, tensors } satisfies Saved);
  }

  #smallState(): Saved["tensors"] {
    const entries = Object.entries(this.#state);
    const bytes = entries.reduce((sum, [, { data }]) => sum + data.byteLength, 0);
    if (entries.length === 0 || bytes > MOST_STATE) return null;
    const textOf = ({ buffer, byteOffset, byteLength }: ModelTensor["data"]) =>
      new Uint8Array(buffer, byteOffset, byteLength).toBase64();
    return Object.fromEntries(entries.map(([input, { data }]) => [input, textOf(data)]));
  }

  async close(): Promise<void> {
    this.#tensors.forgetBelow(Infinity);
    await this.#inference.close();
  }
}

/** Keeps the results of earlier operators on the window's frames. */
function withEarlier(frames: readonly Frame[], found: Result): Result {
  const earlier = frames.flatMap(({ offset, timestamp, result }): FrameResult[] => {
    if (result === undefined) return [];
    const { scores, data, frames: own = [] } = result;
    const objects = own.flatMap((entry) => entry.objects ?? []);
    return [{
      offset,
      timestamp,
      ...(scores === undefined ? {} : { scores }),
      ...(objects.length === 0 ? {} : { objects }),
      ...(data === undefined ? {} : { data }),
    }];
  });
  return earlier.length === 0 ? found : mergeResults({ frames: earlier }, found);
}
