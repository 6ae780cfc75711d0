// What a tensor of a frame costs, stage by stage.
import { frameSpec, WindowTensor } from "../../queries/operators/model/window_tensor.ts";
import { decodeReduced, Tensorizer } from "../../runtime/mod.ts";
import { decodeHalfSize } from "../../runtime/image/kernels/half_size.ts";
import { Kernels } from "../../runtime/image/kernels/kernels.ts";
import { percentile } from "./stats.ts";
import { INPUT } from "./window_tensors.ts";

const HOP = 8;
/** Frames in a slice of time: short, so that some slices are not disturbed by other programs. */
const SLICE = 24;

/** Milliseconds a frame of each stage: the fastest tenth of many short slices, all taking turns. */
export async function tensorStages(
  frames: readonly Uint8Array[],
  slices = 100,
): Promise<ReadonlyMap<string, number>> {
  const frame = (i: number) => frames[i % frames.length]!;
  const kernels = new Kernels();
  const tensorizer = new Tensorizer(frameSpec(INPUT, true));
  const picture = await decodeReduced(frame(0), 3, 2);
  const window = new WindowTensor(INPUT);
  const tensors = await Promise.all(
    Array.from({ length: INPUT.frames + HOP }, (_, i) => tensorizer.tensor(frame(i))),
  );
  const stages: Readonly<Record<string, (i: number) => unknown>> = {
    "libjpeg-turbo at half size, on its thread": async (i) =>
      (await decodeReduced(frame(i), 3, 2)).release(),
    "kernels: codes and transform at half size": (i) => decodeHalfSize(kernels, frame(i)),
    "kernels: a decoded picture resized, to floats": () => tensorizer.fromImage(picture).release(),
    "a tensor, all of it": async (i) => (await tensorizer.tensor(frame(i))).release(),
    // Each frame is part of two windows.
    "put together to windows": (i) => {
      if (i % HOP === 0) window.fill(tensors.slice(i / HOP % 2 * HOP).slice(0, INPUT.frames));
    },
  };
  const times = new Map<string, number[]>(Object.keys(stages).map((name) => [name, []]));
  for (let slice = -10; slice < slices; slice++) {
    for (const [name, stage] of Object.entries(stages)) {
      const started = performance.now();
      const from = HOP * slice;
      for (let i = 0; i < SLICE; i++) await stage(Math.abs(from) + i);
      // The first slices warm compilers up.
      if (slice >= 0) times.get(name)!.push((performance.now() - started) / SLICE);
    }
  }
  picture.release();
  tensors.forEach((tensor) => tensor.release());
  return new Map([...times].map(([name, list]) => [name, percentile(list, 0.1)]));
}
