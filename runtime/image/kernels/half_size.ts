/**
 * JPEGs to planes at half their size, in the kernels' memory.
 *
 * @module
 */
import { readJpegHeader } from "./jpeg_header.ts";
import { type Kernels, NATURAL } from "./kernels.ts";
import { PLANES, PREDICTIONS, QUANTIZERS } from "./layout.ts";
import { enterScan, MOST_PIXELS, readSegment } from "./scan.ts";

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

/**
 * Decodes a baseline JPEG of 4:2:0 to the values that libjpeg-turbo gives at half size.
 *
 * @returns undefined for another kind, and where anything is odd: libjpeg then says what it is.
 */
export function decodeHalfSize(
  kernels: Kernels,
  jpeg: Uint8Array,
): Planes | undefined {
  const header = readJpegHeader(jpeg);
  if (header === undefined) return undefined;
  const { width, height, components, restart } = header;
  if (width * height > MOST_PIXELS) return undefined;
  const across = Math.ceil(width / 16), down = Math.ceil(height / 16);
  const units = across * down;
  const stride = 8 * across;

  const scan = enterScan(kernels, header, jpeg);
  if (scan === undefined) return undefined;
  const planes = [0, 1, 2].map(() => kernels.reserve(stride * 8 * down));
  const { bytes, longs, functions } = kernels;
  for (const [i, { factors }] of components.entries()) {
    longs[(PLANES >> 2) + i] = planes[i]!;
    const at = QUANTIZERS + 128 * i;
    for (let k = 0; k < 64; k++) {
      bytes[at + 2 * NATURAL[k]!] = factors[k]!;
      bytes[at + 2 * NATURAL[k]! + 1] = 0;
    }
  }

  const each = restart === 0 ? units : restart;
  let at = scan.input;
  for (let unit = 0, segment = 0; unit < units; unit += each, segment++) {
    const count = Math.min(each, units - unit);
    longs.fill(0, PREDICTIONS >> 2, (PREDICTIONS >> 2) + 3);
    const next = readSegment(kernels, scan, {
      from: at,
      marker: unit + count === units ? "end" : segment % 8,
      read: (start, end) => functions.decodeHalf(start, end, count, across, stride, unit),
    });
    if (next === undefined) return undefined;
    at = next;
  }
  const [luma, blue, red] = planes as [number, number, number];
  return { width: Math.ceil(width / 2), height: Math.ceil(height / 2), stride, luma, blue, red };
}
