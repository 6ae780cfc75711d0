import { Buffer } from "node:buffer";
import jpegTurbo from "@julusian/jpeg-turbo";

/** Squares that hold a number, and their side in pixels. */
const BITS = 16;
const SIDE = 8;

/** The path of one of the models beside this file. */
export function orderModel(name: string): string {
  return `${import.meta.dirname}/order/${name}.json`;
}

/** A JPEG that holds a number in black and white squares, the lowest bit first. */
export function numberedJpeg(number: number): Uint8Array {
  const width = BITS * SIDE, height = SIDE;
  const data = Buffer.alloc(width * height);
  for (let at = 0; at < data.length; at++) {
    const bit = Math.floor((at % width) / SIDE);
    data[at] = (number >> bit) & 1 ? 255 : 0;
  }
  const format = jpegTurbo.FORMAT_GRAY, subsampling = jpegTurbo.SAMP_GRAY;
  return new Uint8Array(
    jpegTurbo.compressSync(data, { format, width, height, subsampling, quality: 90 }),
  );
}
