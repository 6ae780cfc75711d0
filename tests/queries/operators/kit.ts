import {
  encodeJpeg,
  type Frame,
  type Operator,
  type OperatorContext,
  type RawImage,
} from "../../../runtime/mod.ts";
import { FakeClock } from "../../../runtime/testing.ts";

/** Frames of a camera at this many frames a second, from offset 0. */
export function framesOf(values: readonly Uint8Array[], fps = 10): Frame[] {
  return values.map((value, offset) => frameOf(value, offset, Math.round(offset * 1000 / fps)));
}

export function frameOf(
  value: Uint8Array,
  offset = 0,
  timestamp = 0,
  headers: Record<string, string> = {},
): Frame {
  return { topic: "T", partition: 0, offset, timestamp, key: "CAMERA-1", headers, value };
}

/** Runs an operator over frames on one partition, one after the other. */
export async function run<Out>(
  operator: Operator<Frame, Out>,
  frames: readonly Frame[],
): Promise<Out[]> {
  const task = await open(operator);
  const outputs: Out[] = [];
  for (const frame of frames) outputs.push(...await task.process(frame));
  await task.close?.();
  return outputs;
}

export function open<Out>(operator: Operator<Frame, Out>, state?: Uint8Array) {
  return operator.open({ ...contextOf(), ...(state === undefined ? {} : { state }) });
}

/** Where an operator of these tests runs; its clock stands still. */
export function contextOf(): OperatorContext {
  return {
    query: "test",
    topic: "T",
    partition: 0,
    clock: new FakeClock(),
    signal: new AbortController().signal,
  };
}

/**
 * Runs an operator with a restart before each of the given offsets, as the engine does it: a new task
 * is shown the frames from `restartOffset` on again, and what it says of old ones is dropped.
 */
export async function runWithRestarts<Out>(
  operator: Operator<Frame, Out>,
  frames: readonly Frame[],
  restartAt: ReadonlySet<number>,
): Promise<{ outputs: Out[]; replayed: number }> {
  let task = await open(operator);
  const outputs: Out[] = [];
  let replayed = 0;
  for (const frame of frames) {
    if (restartAt.has(frame.offset)) {
      const from = task.restartOffset?.() ?? frame.offset;
      const state = task.snapshot?.();
      await task.close?.();
      task = await open(operator, state);
      for (const old of frames) {
        if (old.offset < from || old.offset >= frame.offset) continue;
        replayed++;
        await task.process(old);
      }
    }
    outputs.push(...await task.process(frame));
  }
  await task.close?.();
  return { outputs, replayed };
}

/** A textured grey scene; `paint` changes it. */
export async function scene(
  { width = 320, height = 240, seed = 1, noise = 0 }: {
    width?: number;
    height?: number;
    seed?: number;
    noise?: number;
  } = {},
  paint: (image: RawImage) => void = () => {},
): Promise<Uint8Array> {
  const data = new Uint8Array(width * height * 3);
  let random = seed * 7919 + 17;
  const next = () => (random = (random * 1_103_515_245 + 12_345) % 2_147_483_648) / 2_147_483_648;
  const tiles = Array.from({ length: 12 * 9 }, () => Math.floor(30 + 190 * next()));
  random = noise;
  for (let y = 0, at = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const tile = tiles[Math.floor(y * 9 / height) * 12 + Math.floor(x * 12 / width)]!;
      const value = tile + (noise === 0 ? 0 : Math.round(6 * next() - 3));
      data[at++] = value;
      data[at++] = value;
      data[at++] = value;
    }
  }
  const image: RawImage = { data, width, height, channels: 3, release: () => {} };
  paint(image);
  return await encodeJpeg(image, { quality: 90 });
}
