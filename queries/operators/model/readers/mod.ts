// All readers of outputs, and their combined result.
import type { DetectedObject, ResultData } from "../../../../runtime/mod.ts";
import type { ModelManifest } from "../manifest.ts";
import type { ModelOutput } from "../manifest_output.ts";
import type { ModelTensor } from "../session.ts";
import { keypointsReader } from "./keypoints.ts";
import { mapReader } from "./map.ts";
import { objectsReader } from "./objects.ts";
import type { FrameReading, OutputReader, ReadContext } from "./reader.ts";
import { scoresReader } from "./scores.ts";
import { vectorReader } from "./vector.ts";

function readerOf(output: ModelOutput, constants: readonly unknown[]): OutputReader {
  switch (output.kind) {
    case "window":
    case "frame":
      return scoresReader(output);
    case "objects":
      return objectsReader(output, constants);
    case "keypoints":
      return keypointsReader(output);
    case "map":
      return mapReader(output);
    case "vector":
      return vectorReader(output);
  }
}

/** The decoded outputs for a window. */
export interface Readings {
  readonly scores: Readonly<Record<string, number>>;
  /** By frame; empty if no output describes single frames. */
  readonly frames: readonly FrameReading[];
  readonly data: ResultData;
}

/** Reads all outputs of a manifest. */
export class OutputReaders {
  readonly #readers: readonly OutputReader[];
  /** Names of the tensors that are needed. */
  readonly fetches: readonly string[];

  constructor({ outputs, constants }: Pick<ModelManifest, "outputs" | "constants">) {
    this.#readers = outputs.map((output) => readerOf(output, Object.values(constants)));
    this.fetches = [...new Set(this.#readers.flatMap(({ fetches }) => fetches))];
  }

  /** @throws {BadFrameError} `model-output`: a tensor has an unexpected shape. */
  read(outputs: ReadonlyMap<string, ModelTensor>, context: ReadContext): Readings {
    let scores: Readings["scores"] = {}, data: ResultData = {};
    const frames: { scores?: Record<string, number>; objects?: DetectedObject[] }[] = [];
    for (const reader of this.#readers) {
      const reading = reader.read(outputs, context);
      scores = { ...scores, ...reading.scores };
      data = { ...data, ...reading.data };
      for (const [t, found] of (reading.frames ?? []).entries()) {
        const frame = frames[t] ??= {};
        if (found.scores !== undefined) frame.scores = { ...frame.scores, ...found.scores };
        if (found.objects !== undefined) {
          frame.objects = [...frame.objects ?? [], ...found.objects];
        }
      }
    }
    return { scores, frames, data };
  }
}
