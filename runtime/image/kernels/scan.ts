// The codes of a JPEG's only scan, brought into the kernels' memory and read segment by segment.
import type { Flaw } from "../flaws.ts";
import { EOI, RST0 } from "../jpeg_headers.ts";
import type { JpegHeader } from "./jpeg_header.ts";
import type { Kernels } from "./kernels.ts";
import { BLOCK_BYTES, BLOCKS, COEFFICIENTS, PREDICTIONS, UNSTUFFED } from "./layout.ts";

/** Larger files are left to another thread, so that this one is never held for more than a few milliseconds. */
export const MOST_BYTES = 512 * 1024;
/** Larger pictures are not worth the memory, which the kernels keep: pixels. */
export const MOST_PIXELS = 4096 * 2304;

/** Kernels read so far below the codes of a segment before they notice: an MCU of the longest codes. */
const SLACK = 4096;

/** Codes in the kernels' memory. */
export interface Scan {
  /** Where they lie as they came, and how many bytes. */
  readonly input: number;
  readonly coded: number;
  /** Behind the codes of the segment that is read, which are in order from here downwards. */
  readonly codes: number;
  /** Blocks of a minimum coded unit. */
  readonly blocks: number;
}

/** An entropy-coded segment that was read. */
export interface Segment {
  /** Bytes behind its last code that mean nothing, as they came. */
  readonly fill: number;
  /** Where its marker lies. */
  readonly marker: number;
  /** Where the next segment begins. */
  readonly next: number;
  readonly flaw?: Flaw;
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
  const { bytes, longs, tables } = kernels;
  bytes.set(jpeg.subarray(start), input);
  // So that reading ends, whatever is missing.
  bytes.set([0xff, EOI], input + coded);
  let block = 0;
  for (const [i, { dc, ac, across, down }] of components.entries()) {
    const dcTable = tables.find(dc, true), acTable = tables.find(ac, false);
    if (dcTable === undefined || acTable === undefined) return undefined;
    for (let n = components.length === 1 ? 1 : across * down; n > 0; n--, block++) {
      const at = (BLOCKS + 16 * block) >> 2;
      longs[at] = dcTable;
      longs[at + 1] = acTable;
      longs[at + 2] = PREDICTIONS + 4 * i;
      longs[at + 3] = COEFFICIENTS + BLOCK_BYTES * block;
    }
  }
  return { input, coded, codes, blocks: block };
}

/** The kernel that reads codes from `start` downwards, not below `end`: bits that it took, or −1. */
export type ReadCodes = (start: number, end: number, mcus: number, first: number) => number;

/**
 * Reads all codes, from one restart marker to the next.
 *
 * @returns the segments; undefined where anything is wrong that is not repaired
 */
export function readScan(
  kernels: Kernels,
  scan: Scan,
  { mcusAcross, mcusDown, restart }: JpegHeader,
  read: ReadCodes,
): Segment[] | undefined {
  const mcus = mcusAcross * mcusDown;
  const each = restart === 0 ? mcus : restart;
  const segments: Segment[] = [];
  let from = scan.input;
  for (let first = 0; first < mcus; first += each) {
    const count = Math.min(each, mcus - first);
    const marker = first + count === mcus ? EOI : RST0 + segments.length % 8;
    const segment = readSegment(
      kernels,
      scan,
      from,
      marker,
      (start, end) => read(start, end, count, first),
    );
    if (segment === undefined) return undefined;
    segments.push(segment);
    from = segment.next;
  }
  return segments;
}

function readSegment(
  kernels: Kernels,
  { input, coded, codes }: Scan,
  from: number,
  expected: number,
  read: (start: number, end: number) => number,
): Segment | undefined {
  const { bytes, longs, functions } = kernels;
  longs.fill(0, PREDICTIONS >> 2, (PREDICTIONS >> 2) + 4);
  const marker = functions.unstuff(from, codes);
  const length = longs[UNSTUFFED >> 2]!;
  const bits = read(codes - 8, codes - length - 16);
  const left = 8 * length - bits;
  if (bits < 0 || left < 0) return undefined;
  // A marker may have fill bytes of its own.
  let at = marker + 1;
  while (bytes[at] === 0xff) at++;
  if (bytes[at] !== expected) return undefined;
  const next = at + 1;
  const flaw = next > input + coded ? { flaw: "end-missing" as const } : {};
  if (left < 8) return { fill: 0, marker, next, ...flaw };
  const surplus = bytes.subarray(codes - length, codes - length + (left >> 3));
  if (surplus.some((byte) => byte !== surplus[0])) return undefined;
  const fill = surplus.length * (surplus[0] === 0xff ? 2 : 1);
  return { fill, marker, next, flaw: "fill-before-marker" };
}
