// Pictures that were sent to a page and not drawn yet: all that the server keeps for it.
import type { Clock } from "../runtime/base/clock.ts";

/** Bytes of pictures on their way to one page, and to all of them; one picture is always allowed. */
const MAX_BYTES = 3 * 1024 * 1024;
const MAX_BYTES_OF_ALL = 256 * 1024 * 1024;

/** Counts pictures by the slots of their tiles. */
export class InFlight {
  readonly #clock: Clock;
  readonly #pages: () => number;
  readonly #slots = new Map<number, { sequence: number; bytes: number; at: number }[]>();
  #bytes = 0;
  #drawnAfter = 0;

  /** @param pages the number of pages, which share what may be on its way */
  constructor(clock: Clock, pages: () => number) {
    this.#clock = clock;
    this.#pages = pages;
  }

  /** Whether a tile has fewer than `most` pictures in flight. */
  room(slot: number, most: number): boolean {
    return (this.#slots.get(slot)?.length ?? 0) < most &&
      this.#bytes < Math.min(MAX_BYTES, MAX_BYTES_OF_ALL / this.#pages());
  }

  sent(slot: number, sequence: number, bytes: number): void {
    const sent = { sequence, bytes, at: this.#clock.monotonic() };
    const known = this.#slots.get(slot);
    if (known === undefined) this.#slots.set(slot, [sent]);
    else known.push(sent);
    this.#bytes += bytes;
  }

  /** The page has drawn or skipped a tile's pictures up to that sequence. */
  drawn(slot: number, sequence: number): void {
    const pictures = this.#slots.get(slot);
    while (pictures?.[0] !== undefined && pictures[0].sequence <= sequence) {
      const { bytes, at } = pictures.shift()!;
      this.#bytes -= bytes;
      this.#drawnAfter += (this.#clock.monotonic() - at - this.#drawnAfter) / 8;
    }
  }

  /** The tile is gone. */
  forget(slot: number): void {
    for (const { bytes } of this.#slots.get(slot) ?? []) this.#bytes -= bytes;
    this.#slots.delete(slot);
  }

  /** Smoothed time from sending a picture to its confirmation, milliseconds. */
  get drawnAfter(): number {
    return this.#drawnAfter;
  }

  /** How long the page has drawn no sent picture, milliseconds. */
  get unreadFor(): number {
    let oldest = Infinity;
    for (const [first] of this.#slots.values()) oldest = Math.min(oldest, first?.at ?? Infinity);
    return oldest === Infinity ? 0 : this.#clock.monotonic() - oldest;
  }
}
