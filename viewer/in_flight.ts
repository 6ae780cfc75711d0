// Pictures that were sent to a page and not drawn yet: all that the server keeps for it.
import type { Clock } from "../runtime/base/clock.ts";

/** Bytes of pictures on their way to one page, and to all of them; one picture is always allowed. */
const MAX_BYTES = 3 * 1024 * 1024;
const MAX_BYTES_OF_ALL = 256 * 1024 * 1024;

/** What a new page may have in flight besides the first picture of each tile, bytes. */
const FIRST_BYTES = 128 * 1024;
/** Longest wait of a picture for those before it, milliseconds: more in flight would only be older. */
const LATE_MS = 1_000;

/** Counts pictures by the lanes of their tiles. */
export class InFlight {
  readonly #clock: Clock;
  readonly #pages: () => number;
  /** Pictures by lane, each with the bytes in flight when it was sent: those before it and its own. */
  readonly #lanes = new Map<
    string,
    { sequence: number; bytes: number; at: number; queued: number }[]
  >();
  #bytes = 0;
  /** Bytes that the page gets and draws within `LATE_MS`, as far as is known. */
  #allowed = FIRST_BYTES;
  /** Time from sending a picture to its confirmation if it waits for no other, milliseconds. */
  #least = Infinity;
  #drawnAfter = 0;

  /** @param pages the number of pages, which share what may be on its way */
  constructor(clock: Clock, pages: () => number) {
    this.#clock = clock;
    this.#pages = pages;
  }

  /** Whether a tile has fewer than `most` pictures in flight. */
  room(lane: string, most: number): boolean {
    const sent = this.#lanes.get(lane);
    const allowed = sent === undefined ? MAX_BYTES : this.#allowed;
    return (sent?.length ?? 0) < most &&
      this.#bytes < Math.min(allowed, MAX_BYTES_OF_ALL / this.#pages());
  }

  sent(lane: string, sequence: number, bytes: number): void {
    this.#bytes += bytes;
    const sent = { sequence, bytes, at: this.#clock.monotonic(), queued: this.#bytes };
    const known = this.#lanes.get(lane);
    if (known === undefined) this.#lanes.set(lane, [sent]);
    else known.push(sent);
  }

  /** The page has drawn or skipped a tile's pictures up to that sequence. */
  drawn(lane: string, sequence: number): void {
    const pictures = this.#lanes.get(lane);
    while (pictures?.[0] !== undefined && pictures[0].sequence <= sequence) {
      const { bytes, at, queued } = pictures.shift()!;
      this.#bytes -= bytes;
      const after = this.#clock.monotonic() - at;
      this.#drawnAfter += (after - this.#drawnAfter) / 8;
      if (queued === bytes || after < this.#least) this.#least = after;
      const late = after - this.#least;
      this.#allowed = late > LATE_MS
        ? queued * LATE_MS / late
        : Math.min(MAX_BYTES, this.#allowed + bytes);
    }
  }

  /** The tile is gone. */
  forget(lane: string): void {
    for (const { bytes } of this.#lanes.get(lane) ?? []) this.#bytes -= bytes;
    this.#lanes.delete(lane);
  }

  /** Smoothed time from sending a picture to its confirmation, milliseconds. */
  get drawnAfter(): number {
    return this.#drawnAfter;
  }

  /** How long the page has drawn no sent picture, milliseconds. */
  get unreadFor(): number {
    let oldest = Infinity;
    for (const [first] of this.#lanes.values()) oldest = Math.min(oldest, first?.at ?? Infinity);
    return oldest === Infinity ? 0 : this.#clock.monotonic() - oldest;
  }
}
