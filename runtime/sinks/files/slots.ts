// A small state in a file, updated in place, that survives any crash: two slots are written in
// turn, each with a sequence number and a checksum, and the newest intact one counts.
//
// In place matters: a former owner that resumes writes to the file that it had open, never to the
// one that replaced it.
import { crc32 } from "node:zlib";
import { exists } from "../../base/folders.ts";
import { SinkError } from "./failure.ts";
import { readAt, writeAt } from "./io.ts";

const HEADER_BYTES = 20;

/** A state in two slots. Calls must not overlap. */
export class Slots<T> {
  readonly #file: Deno.FsFile;
  readonly #capacity: number;
  #sequence = 0;

  /** @param capacity bytes of a slot, which limit the state */
  constructor(file: Deno.FsFile, capacity: number) {
    this.#file = file;
    this.#capacity = capacity;
  }

  async read(): Promise<T | undefined> {
    let newest: { sequence: number; body: Uint8Array } | undefined;
    for (const slot of [0, 1]) {
      const header = await readAt(this.#file, slot * this.#capacity, HEADER_BYTES);
      if (header.length < HEADER_BYTES) continue;
      const view = new DataView(header.buffer, header.byteOffset);
      const sequence = Number(view.getBigUint64(0));
      const length = view.getUint32(8);
      if (sequence === 0 || length > this.#capacity - HEADER_BYTES) continue;
      if (newest !== undefined && newest.sequence > sequence) continue;
      const body = await readAt(this.#file, slot * this.#capacity + HEADER_BYTES, length);
      if (body.length < length || checksum(header, body) !== view.getUint32(16)) continue;
      newest = { sequence, body };
    }
    this.#sequence = newest?.sequence ?? 0;
    return newest === undefined
      ? undefined
      : JSON.parse(new TextDecoder().decode(newest.body)) as T;
  }

  /** Replaces the state, after a `read`. `syncData` the file to survive a machine crash. */
  async write(state: T): Promise<void> {
    const body = new TextEncoder().encode(JSON.stringify(state));
    if (body.length > this.#capacity - HEADER_BYTES) {
      throw new SinkError(
        "FAILED",
        `Cannot keep a state of ${body.length} bytes: at most ${this.#capacity - HEADER_BYTES} fit`,
      );
    }
    const sequence = this.#sequence + 1;
    const bytes = new Uint8Array(HEADER_BYTES + body.length);
    const view = new DataView(bytes.buffer);
    view.setBigUint64(0, BigInt(sequence));
    view.setUint32(8, body.length);
    bytes.set(body, HEADER_BYTES);
    view.setUint32(16, checksum(bytes.subarray(0, HEADER_BYTES), body));
    await writeAt(this.#file, (sequence % 2) * this.#capacity, bytes);
    this.#sequence = sequence;
  }
}

function checksum(header: Uint8Array, body: Uint8Array): number {
  return crc32(body, crc32(header.subarray(0, 12)));
}

/** The newest valid state in the files `name` of some folders, which are sorted, newest first. */
export async function newestState<T>(
  folders: readonly string[],
  name: string,
  capacity: number,
): Promise<{ readonly folder: string; readonly state: T } | undefined> {
  for (const folder of folders) {
    if (!await exists(`${folder}/${name}`)) continue;
    using file = await Deno.open(`${folder}/${name}`, { read: true });
    const state = await new Slots<T>(file, capacity).read();
    if (state !== undefined) return { folder, state };
  }
  return undefined;
}
