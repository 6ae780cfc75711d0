/**
 * Any ONNX model on ordered windows of frames, described by its manifest.
 *
 * @module
 */
import {
  BadFrameError,
  checkWindowOptions,
  createWindower,
  type Finding,
  type Frame,
  type Operator,
  type OperatorContext,
  type OperatorTask,
  type Result,
  type Window,
  type Windower,
  type WindowerState,
  type WindowOptions,
} from "../../../runtime/mod.ts";
import { checkNumbers } from "../options.ts";
import { FrameTensors } from "./frame_tensors.ts";
import { type ModelManifest, readManifest } from "./manifest.ts";
import { readScores, type Scores } from "./scores.ts";
import { type ModelSession, type ModelTensor, openSession, zeros } from "./session.ts";
import { checkAgainstFile } from "./signature.ts";
import { WindowTensor } from "./window_tensor.ts";

/** What the manifest does not say. */
export interface ModelOptions {
  /** Threads for one run; 1 unless given, since executors already use all cores. */
  readonly threads?: number;
  /**
   * A longer pause between two frames begins new windows and, where the model has one, a new state;
   * milliseconds. Unless given: with `sampling.fps` one second or four ticks, else 5,000.
   */
  readonly maxGapMs?: number;
  /**
   * True decodes frames at reduced size where that is enough, which is cheaper and free of aliasing;
   * false at full size. True unless given.
   */
  readonly reduce?: boolean;
}

/** Without frames for so long, what comes next has nothing to do with what was. */
const PAUSE_MS = 5_000;

/**
 * Runs a model on each window of a camera's frames. It takes frames, which it cuts into windows as
 * the manifest says, or windows of as many frames as the model takes.
 *
 * The manifest is read and checked against the file at once: hash, names, types, shapes. Each frame
 * is decoded once, however many windows share it. A frame that cannot be decoded takes part in no
 * window. State tensors begin with zeros at the start, after a pause, and when the camera or the owner
 * of the partition changes.
 *
 * @param manifest path or URL of a `model.json`; a path is relative to the working directory
 * @throws {ManifestError} naming all faults of the manifest, or all that does not fit the file.
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
  const { threads = 1, reduce = true } = options;
  const checked = readManifest(manifest);
  const { sha256 } = checkAgainstFile(checked, String(manifest));
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
  checkNumbers("model", { threads }, { threads: { min: 1, max: 64, whole: true } });
  return {
    name: `model(${checked.name})`,
    kind: "window",
    async open(context) {
      const session = await openSession(checked.file, threads);
      return new ModelTask({ manifest: checked, sha256, session, windows, reduce, context });
    },
  };
}

interface ModelTaskOptions {
  readonly manifest: ModelManifest;
  readonly sha256: string;
  readonly session: ModelSession;
  readonly windows: WindowOptions;
  readonly reduce: boolean;
  readonly context: OperatorContext;
}

class ModelTask implements OperatorTask<Frame | Window, Finding> {
  readonly #manifest: ModelManifest;
  readonly #sha256: string;
  readonly #session: ModelSession;
  readonly #windower: Windower;
  readonly #maxGapMs: number;
  readonly #tensors: FrameTensors;
  readonly #inputs: readonly WindowTensor[];
  readonly #fetches: readonly string[];
  #state: Readonly<Record<string, ModelTensor>> = {};
  #last: Frame | undefined;

  constructor({ manifest, sha256, session, windows, reduce, context }: ModelTaskOptions) {
    this.#manifest = manifest;
    this.#sha256 = sha256;
    this.#session = session;
    const state = context.state === undefined
      ? undefined
      : JSON.parse(new TextDecoder().decode(context.state)) as WindowerState;
    this.#windower = createWindower(windows, state);
    this.#maxGapMs = windows.maxGapMs!;
    this.#tensors = new FrameTensors(manifest.inputs, reduce);
    this.#inputs = manifest.inputs.map((input) => new WindowTensor(input));
    this.#fetches = [
      ...manifest.outputs.map(({ name }) => name),
      ...manifest.state.map(({ output }) => output),
    ];
  }

  async process(input: Frame | Window): Promise<readonly Finding[]> {
    if ("frames" in input) return [await this.#processWindow(input)];
    if (this.#windower.wants(input)) await this.#tensors.add(input);
    const findings: Finding[] = [];
    for (const window of this.#windower.push(input)) {
      const frames = await this.#decoded(window.frames);
      if (frames.length > 0) findings.push(await this.#infer(window, frames));
    }
    this.#tensors.forgetBelow(this.#windower.restartPoint()?.offset ?? Infinity);
    return findings;
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
    return await this.#infer(window, window.frames);
  }

  /**
   * The frames of a window, all decoded. Most are already; one that is held for ticks without a frame
   * may turn out bad only now, and its neighbour stands in for it.
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
    this.#resetStateAfterGap(window);
    const feeds: Record<string, ModelTensor> = { ...this.#state };
    for (const [i, input] of this.#manifest.inputs.entries()) {
      const step = frames.length / input.frames;
      const own = Array.from(
        { length: input.frames },
        (_, t) => this.#tensors.get(frames[t * step]!.offset, i),
      );
      feeds[input.name] = this.#inputs[i]!.fill(own);
    }
    const { outputs, ms } = await this.#session.run(feeds, this.#fetches);
    this.#state = Object.fromEntries(
      this.#manifest.state.map(({ input, output }) => [input, outputs.get(output)!]),
    );
    return this.#findingOf(window, outputs, ms);
  }

  #resetStateAfterGap(window: Window): void {
    const first = window.frames[0]!, last = this.#last;
    this.#last = window.frames.at(-1)!;
    if (last !== undefined) {
      const overlaps = first.offset <= last.offset;
      const near = Math.abs(first.timestamp - last.timestamp) <= this.#maxGapMs;
      const same = first.headers["session"] === last.headers["session"];
      if (overlaps || (near && same)) return;
    }
    this.#state = Object.fromEntries(
      this.#manifest.state.map(({ input, dtype, shape }) => [input, zeros(dtype, shape)]),
    );
  }

  #findingOf(window: Window, outputs: ReadonlyMap<string, ModelTensor>, ms: number): Finding {
    const { name, outputs: wanted, keep, frames } = this.#manifest;
    const scores: Scores = {};
    const frameScores: Scores[] = [];
    for (const output of wanted) {
      const tensor = outputs.get(output.name)!;
      if (output.kind === "window") Object.assign(scores, readScores(output, tensor, 1)[0]);
      else {
        for (const [t, found] of readScores(output, tensor, frames).entries()) {
          frameScores[t] = { ...frameScores[t], ...found };
        }
      }
    }
    const { topic, partition, key, number } = window;
    const { firstOffset, lastOffset, firstTimestamp, lastTimestamp } = window;
    const result: Result = {
      window: {
        firstOffset,
        lastOffset,
        firstTimestamp,
        lastTimestamp,
        frames: window.frames.length,
        gaps: window.gaps,
      },
      model: { name, sha256: this.#sha256 },
      inferMs: Math.round(ms * 1000) / 1000,
      ...(Object.keys(scores).length > 0 ? { scores } : {}),
      ...(frameScores.length > 0
        ? {
          frames: window.frames.slice(...keep).map(({ offset, timestamp }, i) => ({
            offset,
            timestamp,
            scores: frameScores[keep[0] + i]!,
          })),
        }
        : {}),
    };
    return {
      topic,
      partition,
      key,
      firstOffset,
      lastOffset,
      ...(number === undefined ? {} : { number }),
      timestamp: lastTimestamp,
      result,
      picture: window.frames.at(-1)!,
    };
  }

  restartOffset(): number | undefined {
    return this.#windower.restartPoint()?.offset;
  }

  snapshot(): Uint8Array {
    const state = this.#windower.restartPoint()?.state ?? this.#windower.state();
    return new TextEncoder().encode(JSON.stringify(state));
  }

  async close(): Promise<void> {
    this.#tensors.forgetBelow(Infinity);
    await this.#session.close();
  }
}
