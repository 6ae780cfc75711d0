/**
 * The codes of a JPEG, brought into the kernels' memory and read segment by segment.
 *
 * @module
 */
import type { JpegHeader } from "./jpeg_header.ts";
import type { Kernels } from "./kernels.ts";
import { BLOCK_BYTES, BLOCKS, COEFFICIENTS, PREDICTIONS, UNSTUFFED } from "./layout.ts";

/** Larger files are left to another thread, lest this one is held for more than some milliseconds. */
export const MOST_BYTES = 512 * 1024;
/** Larger pictures are not worth the memory, which the kernels keep: pixels. */
export const MOST_PIXELS = 4096 * 2304;

const EOI = 0xd9, RST0 = 0xd0;
/** Codes are read in eights; the last ones of a damaged file may be read far beyond its end. */
const SLACK = 4096;

/** Codes in the kernels' memory. */
export interface Scan {
  /** Where they lie as they came, and how many bytes. */
  readonly input: number;
  readonly coded: number;
  /** Behind the codes of the segment that is read, which are in order from here downwards. */
  readonly codes: number;
}

/**
 * Copies the codes and makes the tables; what was reserved before is given up.
 *
 * @returns undefined for tables that no baseline JPEG has.
 */
export function enterScan(
  kernels: Kernels,
  { components, start }: JpegHeader,
  jpeg: Uint8Array,
): Scan | undefined {
  kernels.clear();
  const coded = jpeg.length - start;
  const input = kernels.reserve(coded + 64);
  const codes = kernels.reserve(SLACK + coded + 64) + SLACK + coded;
  const { bytes, longs } = kernels;
  bytes.set(jpeg.subarray(start), input);
  // So that reading ends, whatever is missing.
  bytes.set([0xff, EOI], input + coded);
  const { tables } = kernels;
  for (const [i, { dc, ac }] of components.entries()) {
    const found = [tables.find(dc, true), tables.find(ac, false)];
    if (found[0] === undefined || found[1] === undefined) return undefined;
    const blocks = i === 0 ? [0, 1, 2, 3] : [3 + i];
    for (const block of blocks) {
      const places = [PREDICTIONS + 4 * i, COEFFICIENTS + BLOCK_BYTES * block];
      longs.set([...found as number[], ...places], (BLOCKS + 16 * block) >> 2);
    }
  }
  return { input, coded, codes };
}

/**
 * Reads the codes up to the next marker.
 *
 * @param segment where they begin, the marker that must follow (a restart's number, or the end of the
 * picture), and the kernel that reads them: from `start` downwards, not below `end`; it returns how
 * many bits it took, or −1.
 * @returns where the next segment begins; undefined where anything is odd.
 */
export function readSegment(
  kernels: Kernels,
  { input, coded, codes }: Scan,
  { from, marker, read }: {
    readonly from: number;
    readonly marker: number | "end";
    readonly read: (start: number, end: number) => number;
  },
): number | undefined {
  const { bytes, longs, functions } = kernels;
  const found = functions.unstuff(from, codes);
  const length = longs[UNSTUFFED >> 2]!;
  const bits = read(codes - 8, codes - length - 16);
  const left = 8 * length - bits;
  if (bits < 0 || left < 0 || left > 7) return undefined;
  const expected = marker === "end" ? EOI : RST0 + marker;
  return bytes[found + 1] === expected && found + 2 <= input + coded ? found + 2 : undefined;
}
