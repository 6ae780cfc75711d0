// The file `tails`: a slot per partition, written in place. A slot holds two copies of: CRC-32 of the rest;
// segment, run, latest offset, bytes, arrival and newest timestamp as 64-bit numbers. A slot fits in a disk
// sector, so it is never half written. Slot 0, of no partition, has another number in place of the latest offset
// after each commit that changed rows of partitions.
import { join } from "node:path";
import { crc32 } from "node:zlib";
import { LogError } from "../log.ts";
import { FileSync } from "./disk.ts";
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

/** A slot, and its latest offset when it was last looked at. */
export interface SeenSlot {
  readonly id: number;
  latest: number;
}

/** The slot that shows changed rows. */
export const rowsSlot = 0;

const [slotBytes, copyBytes, fields, latestAt, growBytes] = [128, 64, 6, 24, 4_096];
/** A slot is read again while it is being written. */
const rereads = 1_000;
const none: readonly never[] = [];

export class TailFile {
  readonly path: string;
  readonly #file: Deno.FsFile;
  #bytes = new Uint8Array(slotBytes);
  #view = new DataView(this.#bytes.buffer);
  #size = 0;
  readonly #sync: FileSync;

  constructor(dir: string) {
    this.path = join(dir, "tails");
    const options = { create: true, read: true, write: true, mode: modes.file };
    this.#file = Deno.openSync(this.path, options);
    this.#sync = new FileSync(this.#file, this.path);
  }

  /**
   * The slot of a partition; undefined if it was never written.
   *
   * @throws {LogError} `INTERNAL` if it is damaged
   */
  get(id: number): Slot | undefined {
    for (let tries = 0; tries < rereads; tries++) {
      if (this.#read(id, 1) < slotBytes) return undefined;
      for (let at = 0; at < slotBytes; at += copyBytes) {
        const sum = crc32(this.#bytes.subarray(at + 4, at + copyBytes));
        if (sum !== this.#view.getUint32(at)) continue;
        return [...new Float64Array(this.#bytes.buffer, at + 8, fields)] as Slot;
      }
      if (this.#bytes.subarray(0, slotBytes).every((byte) => byte === 0)) return undefined;
    }
    throw new LogError(
      "INTERNAL",
      `Cannot read ${this.path}: it is damaged; start again, which repairs it at the cost of the newest frames`,
    );
  }

  /** Whether a slot is damaged or cannot be read. */
  isDamaged(id: number): boolean {
    try {
      this.get(id);
      return false;
    } catch (error) {
      if (error instanceof LogError || storageFault(error) === "io") return true;
      throw error;
    }
  }

  /** @param slot clears it if absent */
  put(id: number, slot?: Slot): void {
    const bytes = new Uint8Array(slotBytes);
    if (slot !== undefined) {
      new Float64Array(bytes.buffer, 8, fields).set(slot);
      new DataView(bytes.buffer).setUint32(0, crc32(bytes.subarray(4, copyBytes)));
      bytes.copyWithin(copyBytes, 0, copyBytes);
    }
    this.#file.seekSync(id * slotBytes, Deno.SeekMode.Start);
    for (let at = 0; at < slotBytes;) at += this.#file.writeSync(bytes.subarray(at));
    this.#sync.written();
  }

  /** Makes readers look at rows, and their systems report a write; space should be reserved. */
  announce(): void {
    try {
      this.#file.seekSync(rowsSlot * slotBytes + latestAt, Deno.SeekMode.Start);
      this.#file.writeSync(new Uint8Array(Float64Array.of(Math.random()).buffer));
    } catch {
      // Readers poll as well.
    }
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

  /** The slots that differ from when they were last looked at; `slots`, ordered by id, are updated. */
  changed<S extends SeenSlot>(slots: readonly S[]): readonly S[] {
    let changed: S[] | undefined;
    for (let i = 0, from = 0, end = 0, size = 0; i < slots.length; i++) {
      const slot = slots[i]!;
      if (slot.id >= end) {
        from = slot.id;
        // In one read, unless the rest are far apart.
        const last = slots.at(-1)!.id;
        end = 1 + (last - from < 16 * (slots.length - i) ? last : from);
        size = this.#read(from, end - from);
      }
      const at = (slot.id - from) * slotBytes + latestAt;
      const latest = at < size ? this.#view.getFloat64(at, true) : 0;
      if (latest === slot.latest) continue;
      slot.latest = latest;
      (changed ??= []).push(slot);
    }
    return changed ?? none;
  }

  sync(): Promise<void> {
    return this.#sync.finished();
  }

  close(): void {
    this.#file.close();
  }

  /** Reads slots into the buffer; returns how many bytes there are, fewer at the end of the file. */
  #read(id: number, count: number): number {
    const size = count * slotBytes;
    if (this.#bytes.length < size) {
      this.#bytes = new Uint8Array(size);
      this.#view = new DataView(this.#bytes.buffer);
    }
    this.#file.seekSync(id * slotBytes, Deno.SeekMode.Start);
    return this.#file.readSync(
      this.#bytes.length === size ? this.#bytes : this.#bytes.subarray(0, size),
    ) ?? 0;
  }
}
