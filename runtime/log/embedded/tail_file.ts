// The file `tails`: a slot per partition, written in place. A slot holds two copies of: CRC-32 of the rest;
// segment, run, latest offset, bytes, arrival and newest timestamp as 64-bit numbers. A slot fits in a disk
// sector, so it is never half written.
import { dirname, join } from "node:path";
import { crc32 } from "node:zlib";
import { LogError } from "../log.ts";
import { syncPath } from "./disk.ts";
import { storageFault } from "./errors.ts";
import { modes } from "./private_files.ts";

/** The stored part of a tail; `run` is the first offset of the adjacent records at its end. */
export type Slot = [
  segment: number,
  run: number,
  latest: number,
  bytes: number,
  arrived: number,
  time: number,
];

const [slotBytes, copyBytes, fields, latestAt, growBytes] = [128, 64, 6, 24, 4_096];
/** A slot is read again while it is being written. */
const rereads = 1_000;

export class TailFile {
  readonly path: string;
  readonly #file: Deno.FsFile;
  #size = 0;
  #dirty = false;
  #fresh = true;

  constructor(dir: string) {
    this.path = join(dir, "tails");
    const options = { create: true, read: true, write: true, mode: modes.file };
    this.#file = Deno.openSync(this.path, options);
  }

  /**
   * The slot of a partition; undefined if it was never written.
   *
   * @throws {LogError} `INTERNAL` if it is damaged
   */
  get(id: number): Slot | undefined {
    for (let tries = 0; tries < rereads; tries++) {
      const bytes = this.#read(id, 1);
      if (bytes.length < slotBytes || bytes.every((byte) => byte === 0)) return undefined;
      for (const at of [0, copyBytes]) {
        const sum = crc32(bytes.subarray(at + 4, at + copyBytes));
        if (sum !== new DataView(bytes.buffer).getUint32(at)) continue;
        return [...new Float64Array(bytes.buffer, at + 8, fields)] as Slot;
      }
    }
    throw new LogError(
      "INTERNAL",
      `Cannot read ${this.path}: it is damaged; restore a backup of the log, or move its folder away and start over`,
    );
  }

  put(id: number, slot: Slot): void {
    const bytes = new Uint8Array(slotBytes);
    new Float64Array(bytes.buffer, 8, fields).set(slot);
    new DataView(bytes.buffer).setUint32(0, crc32(bytes.subarray(4, copyBytes)));
    bytes.copyWithin(copyBytes, 0, copyBytes);
    this.#file.seekSync(id * slotBytes, Deno.SeekMode.Start);
    this.#file.writeSync(bytes);
    this.#dirty = true;
  }

  /**
   * Reserves space, so that `put` never meets a full disk; false when there is none. One process at
   * a time may call it.
   */
  reserve(id: number): boolean {
    const end = (id + 1) * slotBytes;
    if (end <= this.#size) return true;
    this.#size = this.#file.statSync().size;
    if (end <= this.#size) return true;
    const zeros = new Uint8Array(Math.ceil(end / growBytes) * growBytes - this.#size);
    this.#file.seekSync(this.#size, Deno.SeekMode.Start);
    try {
      for (let at = 0; at < zeros.length;) at += this.#file.writeSync(zeros.subarray(at));
    } catch (error) {
      if (storageFault(error) !== "full") throw error;
      return false;
    }
    return true;
  }

  /** Partitions whose latest offset differs from `seen`, which is updated. */
  changed(seen: Map<number, number>): number[] {
    if (seen.size === 0) return [];
    const ids = [...seen.keys()];
    const [first, end] = [Math.min(...ids), Math.max(...ids) + 1];
    // In one read, unless they are far apart.
    const most = 16 * ids.length;
    const together = end - first > most ? undefined : this.#read(first, end - first);
    return ids.filter((id) => {
      const [bytes, from] = together === undefined ? [this.#read(id, 1), id] : [together, first];
      const at = (id - from) * slotBytes + latestAt;
      const latest = at < bytes.length ? new DataView(bytes.buffer).getFloat64(at, true) : 0;
      if (latest === seen.get(id)) return false;
      seen.set(id, latest);
      return true;
    });
  }

  async sync(): Promise<void> {
    if (!this.#dirty) return;
    this.#dirty = false;
    await this.#file.syncData();
    if (!this.#fresh) return;
    this.#fresh = false;
    await syncPath(dirname(this.path));
  }

  close(): void {
    this.#file.close();
  }

  /** The bytes of slots; fewer at the end of the file. */
  #read(id: number, count: number): Uint8Array<ArrayBuffer> {
    const bytes = new Uint8Array(count * slotBytes);
    this.#file.seekSync(id * slotBytes, Deno.SeekMode.Start);
    return bytes.subarray(0, this.#file.readSync(bytes) ?? 0);
  }
}
