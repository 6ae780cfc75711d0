// Frames for tests: small real JPEGs, each different from the others.
import jpeg from "@julusian/jpeg-turbo";
import { Buffer } from "node:buffer";
import type { LogRecord } from "../../runtime/log/log.ts";

const WIDTH = 64;
const HEIGHT = 48;

/** A JPEG of 64 × 48 pixels that shows a number in its brightness and stripes. */
export function jpegOf(number: number): Uint8Array {
  const pixels = Buffer.alloc(WIDTH * HEIGHT * 3);
  for (let i = 0; i < WIDTH * HEIGHT; i++) {
    const bit = (number >> (i % WIDTH >> 2)) & 1;
    pixels[i * 3] = bit === 1 ? 220 : 30;
    pixels[i * 3 + 1] = number % 251;
    pixels[i * 3 + 2] = (i / WIDTH | 0) * 5;
  }
  return new Uint8Array(jpeg.compressSync(pixels, {
    format: jpeg.FORMAT_RGB,
    width: WIDTH,
    height: HEIGHT,
    quality: 80,
  }));
}

/** How a camera makes its records. */
export interface RecordOptions {
  readonly from?: number;
  /** Capture time of number 0. */
  readonly start?: number;
  readonly intervalMs?: number;
  readonly session?: string;
  /** Access units of H.264 that it sends over and over in place of images. */
  readonly units?: readonly Uint8Array[] | undefined;
  /** Sequence number of its first frame, which is the first of the units. Default 0. */
  readonly first?: number;
}

/** Records as a camera publishes them, from sequence number `from` on. */
export function records(
  camera: number,
  count: number,
  { from = 0, start = 1_700_000_000_000, intervalMs = 66, session = "s", units, first = 0 }:
    RecordOptions = {},
): LogRecord[] {
  const type = units === undefined ? "image/jpeg" : "video/h264";
  return Array.from({ length: count }, (_, index) => {
    const seq = from + index;
    return {
      key: `CAMERA-${camera}`,
      value: units?.[(seq - first) % units.length] ?? jpegOf(seq),
      timestamp: start + seq * intervalMs,
      headers: { "content-type": type, session, seq: String(seq) },
    };
  });
}
