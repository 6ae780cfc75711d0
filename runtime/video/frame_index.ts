// What the index at the end of a file is made from: eight bytes a picture, since there may be
// millions.

/** Bytes of an entry. */
export const ENTRY_BYTES = 8;
const KEY_BIT = 0x80000000;

/** What the index must know of a sample. */
export interface IndexEntry {
  /** Bytes of the picture itself. */
  readonly size: number;
  readonly key: boolean;
  /** Time since the sample before, in the container's units. */
  readonly step: number;
}

/** Entries of all pictures of a file, in order. */
export class FrameIndex {
  readonly #view: DataView;
  readonly length: number;

  /** @param bytes as `encode` makes them; a part of an entry at the end does not count. */
  constructor(bytes: Uint8Array) {
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.length = Math.floor(bytes.length / ENTRY_BYTES);
  }

  static encode(entries: readonly IndexEntry[]): Uint8Array {
    const bytes = new Uint8Array(entries.length * ENTRY_BYTES);
    const view = new DataView(bytes.buffer);
    entries.forEach(({ size, key, step }, index) => {
      view.setUint32(index * ENTRY_BYTES, key ? size + KEY_BIT : size);
      view.setUint32(index * ENTRY_BYTES + 4, step);
    });
    return bytes;
  }

  size(index: number): number {
    return this.#view.getUint32(index * ENTRY_BYTES) % KEY_BIT;
  }

  isKey(index: number): boolean {
    return this.#view.getUint32(index * ENTRY_BYTES) >= KEY_BIT;
  }

  step(index: number): number {
    return this.#view.getUint32(index * ENTRY_BYTES + 4);
  }

  /** Whether no entry is missing: no picture is empty. */
  get isWhole(): boolean {
    for (let index = 0; index < this.length; index++) if (this.size(index) === 0) return false;
    return true;
  }
}
