// Loaded models, shared by all partitions of an executor.
import type { InferenceSession, Tensor } from "onnxruntime-node";
import { LogError, range } from "../../../runtime/mod.ts";
import type { Device } from "./device_names.ts";
import { deviceError, runError } from "./devices.ts";
import type { ModelManifest } from "./manifest.ts";
import { loadOnnx } from "./onnx.ts";

const ARRAYS = {
  ...{ float32: Float32Array, float64: Float64Array, float16: Float16Array },
  ...{ int8: Int8Array, int16: Int16Array, int32: Int32Array, int64: BigInt64Array },
  ...{ uint8: Uint8Array, uint16: Uint16Array, uint32: Uint32Array, uint64: BigUint64Array },
} as const;

/** Samples of a tensor. */
export type Samples = typeof ARRAYS[keyof typeof ARRAYS]["prototype"];

export interface ModelTensor {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly data: Samples;
}

export interface ModelSession {
  /**
   * Runs the model once. Runs of a shared model take turns.
   *
   * @param feeds a tensor for each input; must not change until the promise settles
   * @param fetches names of the wanted outputs
   * @param read receives the outputs by name, and the milliseconds in the model alone. Outputs are
   * valid until it returns: then their memory is freed.
   * @param kept names of outputs that stay valid
   * @throws {BadFrameError} `model-run`: the model fails on these tensors, on the processor.
   */
  run<T>(
    feeds: Readonly<Record<string, ModelTensor>>,
    fetches: readonly string[],
    read: (outputs: ReadonlyMap<string, ModelTensor>, ms: number) => T,
    kept?: readonly string[],
  ): Promise<T>;
  /** Releases the session; the last one unloads the model. */
  close(): Promise<void>;
}

interface Shared {
  readonly session: Promise<InferenceSession>;
  users: number;
  /** The last run: a session's scratch memory serves one run at a time. */
  last: Promise<unknown>;
}

const shared = new Map<string, Shared>();

/** What `threads` accepts. */
export const THREADS = range({ min: 1, max: 64, whole: true });

export interface SessionOptions {
  /** For one run; 1 by default, since executors already use all cores. */
  readonly threads?: number;
  /** `cpu` by default. */
  readonly device?: Device;
}

/**
 * Loads a model, or shares it with others on this thread that have loaded it.
 *
 * @throws {Error} if the model cannot be loaded; says what another device than `cpu` needs.
 */
export async function openSession(
  file: string,
  { threads = 1, device = "cpu" }: SessionOptions = {},
): Promise<ModelSession> {
  const key = `${device}:${threads}:${file}`;
  let entry = shared.get(key);
  if (entry === undefined) {
    const session = loadOnnx().InferenceSession.create(file, {
      executionProviders: [device],
      intraOpNumThreads: threads,
      interOpNumThreads: 1,
      executionMode: "sequential",
      graphOptimizationLevel: "all",
      // Errors are thrown with the same messages.
      logSeverityLevel: 4,
    });
    entry = { session, users: 0, last: Promise.resolve() };
    shared.set(key, entry);
  }
  entry.users++;
  const used = entry;
  const close = async () => {
    if (--used.users > 0) return;
    shared.delete(key);
    await used.last;
    await (await used.session).release();
  };
  try {
    await used.session;
  } catch (error) {
    used.users--;
    shared.delete(key);
    throw deviceError(device, file, error as Error);
  }
  return {
    async run(feeds, fetches, read, kept = []) {
      const turn = used.last.then(async () => {
        const { outputs, ms } = await runOnce(await used.session, feeds, fetches)
          .catch((error) => {
            throw runError(device, file, error);
          });
        try {
          return read(outputs, ms);
        } finally {
          // Left to the garbage collector, a few of the binding's copies trigger a full collection.
          for (const [name, { data: { buffer } }] of outputs) {
            if (!kept.includes(name) && buffer instanceof ArrayBuffer) buffer.transfer(0);
          }
        }
      });
      used.last = turn.catch(() => {});
      return await turn;
    },
    close,
  };
}

async function runOnce(
  session: InferenceSession,
  feeds: Readonly<Record<string, ModelTensor>>,
  fetches: readonly string[],
) {
  const tensors = Object.fromEntries(
    Object.entries(feeds).map(([name, tensor]) => [name, toTensor(tensor)]),
  );
  const start = performance.now();
  const results = await session.run(tensors, fetches);
  const ms = performance.now() - start;
  const outputs = new Map<string, ModelTensor>();
  for (const name of fetches) {
    const { type, dims, data } = results[name]!;
    outputs.set(name, { dtype: type, shape: dims, data: data as Samples });
  }
  return { outputs, ms };
}

function toTensor({ dtype, shape, data }: ModelTensor): Tensor {
  // The constructor's types know each pair of type and array; which pair this is, is not known here.
  const tensor = new (loadOnnx().Tensor)(dtype as "float32", data as Float32Array, shape);
  if (data instanceof Float16Array) {
    // Deno's native interface does not know it yet, but its bits.
    const bits = new Uint16Array(data.buffer, data.byteOffset, data.length);
    Object.defineProperty(tensor, "data", { value: bits });
  }
  return tensor;
}

function zeros(dtype: string, shape: readonly number[]): ModelTensor {
  return tensorOf(dtype, shape, new Array(shape.reduce((all, size) => all * size, 1)).fill(0));
}

/** The state tensors before the first run, by input. */
export function zeroState({ state }: Pick<ModelManifest, "state">): Record<string, ModelTensor> {
  return Object.fromEntries(
    state.map(({ input, dtype, shape }) => [input, zeros(dtype, shape)]),
  );
}

/**
 * The state tensors of a checkpoint, by input.
 *
 * @param saved their bytes in base64, by input
 * @throws {LogError} `CHECKPOINT_CHANGED` if one has another length than the manifest says.
 */
export function restoredState(
  manifest: Pick<ModelManifest, "name" | "state">,
  saved: Readonly<Record<string, string>>,
): Record<string, ModelTensor> {
  const state = zeroState(manifest);
  for (const [input, { data }] of Object.entries(state)) {
    const bytes = new Uint8Array(data.buffer), kept = Uint8Array.fromBase64(saved[input] ?? "");
    if (kept.length !== bytes.length) {
      throw new LogError(
        "CHECKPOINT_CHANGED",
        `Cannot continue with the state ${input} of model ${manifest.name}: the checkpoint holds ` +
          `${kept.length} bytes, the manifest says ${bytes.length}. Drop the old state with ` +
          '.process(operator, { state: "drop" }), or reset the checkpoint',
      );
    }
    bytes.set(kept);
  }
  return state;
}

/** A tensor of any type; unknown types are bytes. */
export function tensorOf(
  dtype: string,
  shape: readonly number[],
  numbers: readonly number[],
): ModelTensor {
  const array = ARRAYS[dtype as keyof typeof ARRAYS] ?? Uint8Array;
  const data = array === BigInt64Array || array === BigUint64Array
    ? (array as typeof BigInt64Array).from(numbers, BigInt)
    : (array as typeof Float32Array).from(numbers);
  return { dtype, shape, data };
}
