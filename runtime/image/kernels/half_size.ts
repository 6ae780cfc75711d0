// JPEGs to planes at half their size, in the kernels' memory.
import { readJpegHeader } from "./jpeg_header.ts";
import { type Kernels, NATURAL } from "./kernels.ts";
import { PLANES, QUANTIZERS } from "./layout.ts";
import { noteSegments } from "./repair.ts";
import { enterScan, MOST_PIXELS, readScan } from "./scan.ts";

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
  if (header === undefined || !header.isYcc420) return undefined;
  const { width, height, components, mcusAcross, mcusDown } = header;
  if (width * height > MOST_PIXELS) return undefined;
  const stride = 8 * mcusAcross;
  const scan = enterScan(kernels, header, jpeg);
  if (scan === undefined) return undefined;
  const planes = [0, 1, 2].map(() => kernels.reserve(stride * 8 * mcusDown));
  const { bytes, longs, functions } = kernels;
  for (const [i, { factors }] of components.entries()) {
    longs[(PLANES >> 2) + i] = planes[i]!;
    const at = QUANTIZERS + 128 * i;
    for (let k = 0; k < 64; k++) {
      bytes[at + 2 * NATURAL[k]!] = factors[k]!;
      bytes[at + 2 * NATURAL[k]! + 1] = 0;
    }
  }
  const segments = readScan(
    kernels,
    scan,
    header,
    (start, end, mcus, first) => functions.decodeHalf(start, end, mcus, mcusAcross, stride, first),
  );
  if (segments === undefined) return undefined;
  noteSegments(jpeg, header, segments);
  const [luma, blue, red] = planes as [number, number, number];
  return { width: Math.ceil(width / 2), height: Math.ceil(height / 2), stride, luma, blue, red };
}
