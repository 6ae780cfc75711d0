/**
 * JPEGs to planes at half their size, in the kernels' memory.
 *
 * @module
 */
import { HuffmanTables } from "./huffman.ts";
import { readJpegHeader } from "./jpeg_header.ts";
import { type Kernels, NATURAL } from "./kernels.ts";
import { BLOCKS, PLANES, PREDICTIONS, QUANTIZERS, UNSTUFFED } from "./layout.ts";

/** A picture at half size: for each pixel a sample in each plane, those of colour less 128. */
export interface Planes {
  /** Pixels. */
  readonly width: number;
  readonly height: number;
  /** Bytes from a row to the next. */
  readonly stride: number;
  /** Addresses. */
  readonly luma: number;
  readonly blue: number;
  readonly red: number;
}

/** Larger pictures are not worth the memory, which the kernels keep: pixels. */
const MOST_PIXELS = 4096 * 2304;
const EOI = 0xd9, RST0 = 0xd0;
/** Codes are read in eights; the last ones of a damaged file may be read far beyond its end. */
const SLACK = 4096;

const tablesOf = new WeakMap<Kernels, HuffmanTables>();

/**
 * Decodes a baseline JPEG of 4:2:0 to the values that libjpeg-turbo gives at half size.
 *
 * @returns undefined for another kind, and where anything is odd: libjpeg then says what it is.
 */
export function decodeHalfSize(kernels: Kernels, jpeg: Uint8Array): Planes | undefined {
  const header = readJpegHeader(jpeg);
  if (header === undefined) return undefined;
  const { width, height, components, restart, start } = header;
  if (width * height > MOST_PIXELS) return undefined;
  const across = Math.ceil(width / 16), down = Math.ceil(height / 16);
  const units = across * down;
  const stride = 8 * across;

  kernels.clear();
  const coded = jpeg.length - start;
  const input = kernels.reserve(coded + 64);
  const codes = kernels.reserve(SLACK + coded + 64) + SLACK + coded;
  const planes = [0, 1, 2].map(() => kernels.reserve(stride * 8 * down));
  const { bytes, longs, functions } = kernels;
  bytes.set(start === 0 ? jpeg : jpeg.subarray(start), input);
  // So that reading ends, whatever is missing.
  bytes.set([0xff, EOI], input + coded);

  let tables = tablesOf.get(kernels);
  if (tables === undefined) tablesOf.set(kernels, tables = new HuffmanTables(kernels));
  for (const [i, { factors, dc, ac }] of components.entries()) {
    const found = [tables.find(dc, true), tables.find(ac, false)];
    if (found[0] === undefined || found[1] === undefined) return undefined;
    const blocks = i === 0 ? [0, 1, 2, 3] : [3 + i];
    for (const block of blocks) longs.set(found as number[], (BLOCKS + 16 * block) >> 2);
    longs[(PLANES >> 2) + i] = planes[i]!;
    const at = QUANTIZERS + 128 * i;
    for (let k = 0; k < 64; k++) {
      bytes[at + 2 * NATURAL[k]!] = factors[k]!;
      bytes[at + 2 * NATURAL[k]! + 1] = 0;
    }
  }

  const each = restart === 0 ? units : restart;
  let at = input;
  for (let unit = 0, segment = 0; unit < units; unit += each, segment++) {
    longs.fill(0, PREDICTIONS >> 2, (PREDICTIONS >> 2) + 3);
    const marker = functions.unstuff(at, codes);
    const length = longs[UNSTUFFED >> 2]!;
    const count = Math.min(each, units - unit);
    const bits = functions.scan(codes - 8, codes - length - 16, count, across, stride, unit);
    const left = 8 * length - bits;
    if (bits < 0 || left < 0 || left > 7) return undefined;
    const expected = unit + count === units ? EOI : RST0 + segment % 8;
    if (bytes[marker + 1] !== expected || marker + 2 > input + coded) return undefined;
    at = marker + 2;
  }
  const [luma, blue, red] = planes as [number, number, number];
  return { width: Math.ceil(width / 2), height: Math.ceil(height / 2), stride, luma, blue, red };
}
