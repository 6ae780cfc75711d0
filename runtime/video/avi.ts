// AVI files with one Motion JPEG track: pictures as they are.
//
// AVI has a fixed rate, which the time between the first two pictures tells. Every picture stands in
// the slot that is nearest to its time; slots between hold an empty chunk, which repeats the picture
// before.
import { concatenated } from "../base/bytes.ts";
import type { Appended, Container, Track } from "./container.ts";
import { ascii } from "./mp4_box.ts";
import { NOMINAL_MS } from "./timeline.ts";

/** Larger ones need an index of another kind, which many players do not read. */
const MAXIMUM_BYTES = 1_000_000_000;
/** A longer pause begins a new file instead of filling this one with empty slots. */
const MAXIMUM_GAP_MS = 60_000;
/** How late a slot may be for its picture before the rate counts as wrong. */
const MAXIMUM_LAG_MS = 1000;
/** What cameras are set to. */
const USUAL_RATES = [1, 2, 4, 5, 6, 7.5, 8, 10, 12, 12.5, 15, 18, 20, 24, 25, 30, 50, 60, 100, 120];
const NOMINAL_RATE = 1000 / NOMINAL_MS;
const CHUNK_HEADER = 8;
const INDEX_ENTRY = 16;
const KEY_FRAME = 0x10;
/** Where the list of pictures begins, from which the index counts. */
const MOVI = 220;
const HEADER_BYTES = MOVI + 4;
/** No opinion on a picture's quality. */
const UNKNOWN = 0xffffffff;

/** Motion JPEG in AVI. */
export const avi: Container = {
  ending: "avi",
  headerGrows: true,

  refine: (track, { delta }) => ({ ...track, fps: rateOf(delta) }),

  accepts: (track, sample, steps, length) =>
    length <= MAXIMUM_BYTES && sample.delta <= MAXIMUM_GAP_MS &&
    (steps - slotAt(track, sample)) / (track.fps ?? NOMINAL_RATE) * 1000 < MAXIMUM_LAG_MS,

  header(track, grown) {
    const { steps, length } = grown ?? { steps: -1, length: HEADER_BYTES };
    const sizes = { riff: length - 8, movi: length - MOVI, slots: steps + 1, largest: 0 };
    return header(track, sizes, false);
  },

  append(track, sample, steps): Appended {
    const slot = sample.time === 0 ? 0 : Math.max(steps + 1, slotAt(track, sample));
    const empty = Math.max(0, slot - steps - 1);
    const { data } = sample;
    const before = new Uint8Array((empty + 1) * CHUNK_HEADER);
    for (let i = 0; i <= empty; i++) before.set(ascii("00dc"), i * CHUNK_HEADER);
    new DataView(before.buffer).setUint32(empty * CHUNK_HEADER + 4, data.length, true);
    const padding = new Uint8Array(data.length % 2);
    return {
      bytes: [before, data, padding],
      entry: { size: data.length, key: true, step: slot - steps },
    };
  },

  finish(track, index, length) {
    let slots = 1;
    let largest = 0;
    for (let i = 0; i < index.length; i++) {
      slots += index.step(i);
      largest = Math.max(largest, index.size(i));
    }
    const tail = new Uint8Array(CHUNK_HEADER + slots * INDEX_ENTRY);
    const view = new DataView(tail.buffer);
    tail.set(ascii("idx1"));
    view.setUint32(4, slots * INDEX_ENTRY, true);
    let at = CHUNK_HEADER;
    let position = 4;
    for (let i = 0; i < index.length; i++) {
      for (let left = Math.max(1, index.step(i)); left > 0; left--) {
        const bytes = left === 1 ? index.size(i) : 0;
        tail.set(ascii("00dc"), at);
        view.setUint32(at + 4, bytes === 0 ? 0 : KEY_FRAME, true);
        view.setUint32(at + 8, position, true);
        view.setUint32(at + 12, bytes, true);
        at += INDEX_ENTRY;
        position += CHUNK_HEADER + bytes + bytes % 2;
      }
    }
    const sizes = { riff: length + tail.length - 8, movi: length - MOVI, slots, largest };
    return { tail, patch: { position: 0, bytes: header(track, sizes, true) } };
  },
};

/** The rate for the time between two pictures; capture times are whole milliseconds. */
function rateOf(deltaMs: number): number {
  // The faster one where two would do: pictures that come late for their slots add up.
  const usual = USUAL_RATES.findLast((rate) => Math.abs(1000 / rate - deltaMs) <= 1.5);
  if (usual !== undefined) return usual;
  return deltaMs >= 8 && deltaMs <= 100 ? 1000 / deltaMs : NOMINAL_RATE;
}

function slotAt({ fps = NOMINAL_RATE }: Track, { time }: { time: number }): number {
  return Math.round(time * fps / 1000);
}

function header(
  { width, height, fps = NOMINAL_RATE }: Track,
  { riff, movi, slots, largest }: { riff: number; movi: number; slots: number; largest: number },
  indexed: boolean,
): Uint8Array {
  const micros = Math.round(1e6 / fps);
  return concatenated([
    ...[ascii("RIFF"), numbers(riff), ascii("AVI LIST"), numbers(192)],
    ...[ascii("hdrlavih"), numbers(56, micros, 0, 0, indexed ? 0x10 : 0, slots, 0, 1, largest)],
    ...[numbers(width, height, 0, 0, 0, 0), ascii("LIST"), numbers(116)],
    ...[ascii("strlstrh"), numbers(56), ascii("vidsMJPG")],
    numbers(0, 0, 0, 1000, Math.round(fps * 1000), 0, slots, largest, UNKNOWN, 0, 0),
    ...[numbers(width + height * 0x10000), ascii("strf"), numbers(40, 40, width, height)],
    ...[numbers(1 | 24 << 16), ascii("MJPG"), numbers(width * height * 3, 0, 0, 0, 0)],
    ...[ascii("LIST"), numbers(movi), ascii("movi")],
  ]);
}

/** Numbers of 32 bits, the least significant byte first. */
function numbers(...values: number[]): Uint8Array {
  return new Uint8Array(Uint32Array.from(values).buffer);
}
