// What the tests of folders share.
import { dirname, join } from "node:path";
import { encodeJpeg } from "../../runtime/image/jpeg.ts";
import type { MemoryLog } from "../support/memory_log.ts";
import { TOPIC } from "./kit.ts";

/** A small JPEG of one shade of grey. */
export function jpeg(shade: number, side = 32): Promise<Uint8Array> {
  const data = new Uint8Array(side * side).fill(shade);
  return encodeJpeg({ data, width: side, height: side, channels: 1 });
}

/** Writes a file, and makes the folders above it. */
export async function put(folder: string, file: string, bytes: Uint8Array): Promise<void> {
  await Deno.mkdir(dirname(join(folder, file)), { recursive: true });
  await Deno.writeFile(join(folder, file), bytes);
}

/** The files whose images a log holds, in its order. */
export const filesIn = (log: MemoryLog) => log.records(TOPIC, 0).map(({ headers }) => headers.file);
