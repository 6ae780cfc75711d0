// Reads embeddings.
import { Buffer } from "node:buffer";
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
      const bytes = Buffer.alloc(4 * data.length);
      for (let i = 0; i < data.length; i++) bytes.writeFloatLE(data[i]! / length, 4 * i);
      return { data: { [name]: bytes.toString("base64") } };
    },
  };
}
