// Reads embeddings.
import type { VectorOutput } from "../manifest_output.ts";
import { valuesOf } from "./numbers.ts";
import { type OutputReader, unreadable } from "./reader.ts";

/** Most numbers of an embedding in a result: 64 KB. */
const MOST_NUMBERS = 16_384;

/** Reads an embedding into `data`: base64 of float32, little-endian. */
export function vectorReader({ name, normalize }: VectorOutput): OutputReader {
  return {
    fetches: [name],
    read(outputs) {
      const { data, shape } = valuesOf(outputs.get(name)!);
      if (data.length > MOST_NUMBERS) {
        throw unreadable(name, shape, `a vector of up to ${MOST_NUMBERS} numbers`);
      }
      let length = 1;
      if (normalize) {
        let sum = 0;
        for (let i = 0; i < data.length; i++) sum += data[i]! * data[i]!;
        length = Math.sqrt(sum) || 1;
      }
      const floats = Float32Array.from(data, (value) => value / length);
      const wrong = floats.findIndex((value) => !Number.isFinite(value));
      if (wrong >= 0) throw unreadable(name, shape, `finite numbers, given ${data[wrong]}`);
      return { data: { [name]: new Uint8Array(floats.buffer).toBase64() } };
    },
  };
}
