/**
 * What a producer is set to in one trial of the sweep.
 *
 * @module
 */
import type { Compression } from "../../runtime/log/log.ts";

/** Batch size × linger × compression. */
export interface Setting {
  /** A batch is closed before it grows beyond this. */
  readonly batchBytes: number;
  /** How long a batch waits for more frames. */
  readonly lingerMs: number;
  readonly compression: Compression;
}

const COMPRESSIONS: readonly Compression[] = ["none", "gzip", "snappy", "lz4", "zstd"];

/** What is swept unless something else is asked for. */
export const USUAL_SETTINGS: readonly Setting[] = [
  { batchBytes: 16_384, lingerMs: 0, compression: "none" },
  { batchBytes: 128_000, lingerMs: 20, compression: "none" },
  { batchBytes: 512_000, lingerMs: 50, compression: "none" },
  { batchBytes: 65_536, lingerMs: 10, compression: "snappy" },
  { batchBytes: 65_536, lingerMs: 10, compression: "lz4" },
  { batchBytes: 512_000, lingerMs: 50, compression: "lz4" },
  { batchBytes: 65_536, lingerMs: 10, compression: "zstd" },
  { batchBytes: 512_000, lingerMs: 50, compression: "zstd" },
  { batchBytes: 32_768, lingerMs: 5, compression: "gzip" },
  { batchBytes: 512_000, lingerMs: 50, compression: "gzip" },
];

/** `batch/linger/compression`, as in `65536/10/snappy`. */
export function nameOf({ batchBytes, lingerMs, compression }: Setting): string {
  return `${batchBytes}/${lingerMs}/${compression}`;
}

/**
 * Reads `16384/0/none,65536/10/snappy`.
 *
 * @throws {RangeError} saying which part is wrong and what is accepted.
 */
export function parseSettings(text: string): Setting[] {
  return text.split(",").map((one) => {
    const [batch, linger, compression = "", ...rest] = one.trim().split("/");
    const setting = {
      batchBytes: Number(batch),
      lingerMs: Number(linger),
      compression: compression as Compression,
    };
    const whole = Number.isInteger(setting.batchBytes) && setting.batchBytes >= 1 &&
      Number.isInteger(setting.lingerMs) && setting.lingerMs >= 0 &&
      COMPRESSIONS.includes(setting.compression) && rest.length === 0;
    if (!whole) {
      throw new RangeError(
        `Cannot measure with ${JSON.stringify(one)}: expected BATCH_BYTES/LINGER_MS/COMPRESSION, ` +
          `with ${COMPRESSIONS.join(", ")}`,
      );
    }
    return setting;
  });
}

/** Every batch size with every linger with every compression. */
export function gridOf(
  batchBytes: readonly number[],
  lingerMs: readonly number[],
  compressions: readonly string[],
): Setting[] {
  return parseSettings(
    batchBytes.flatMap((batch) =>
      lingerMs.flatMap((linger) => compressions.map((name) => `${batch}/${linger}/${name}`))
    ).join(","),
  );
}
