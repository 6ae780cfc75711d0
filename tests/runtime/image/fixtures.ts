import { Buffer } from "node:buffer";
import jpegTurbo from "@julusian/jpeg-turbo";
import sharp, { type Sharp } from "sharp";
import type { Channels, RawImage } from "../../../runtime/image/mod.ts";

/** A picture with soft gradients and a hard-edged square, the same for the same numbers. */
export function picture(width: number, height: number, channels: Channels, shift = 0): RawImage {
  const data = new Uint8Array(width * height * channels);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const inside = x > width / 3 && x < width / 2 && y > height / 3 && y < height / 2;
      const samples = inside
        ? [250, 40, 40]
        : [(x * 255 / width + shift) & 255, y * 255 / height, 128];
      const at = (y * width + x) * channels;
      if (channels === 1) data[at] = samples[0]!;
      else {
        for (let c = 0; c < 3; c++) data[at + c] = samples[c]!;
        if (channels === 4) data[at + 3] = 255;
      }
    }
  }
  return { data, width, height, channels, release: () => {} };
}

/** A baseline colour JPEG. */
export function jpegOf(width: number, height: number, shift = 0): Uint8Array {
  const { data } = picture(width, height, 3, shift);
  return new Uint8Array(jpegTurbo.compressSync(Buffer.from(data), {
    format: jpegTurbo.FORMAT_RGB,
    width,
    height,
    subsampling: jpegTurbo.SAMP_420,
    quality: 90,
  }));
}

/** A JPEG whose colours change with every pixel: codes of all lengths, and values out of range. */
export function noiseJpeg(
  width: number,
  height: number,
  quality: number,
  amount: number,
): Uint8Array {
  let state = width * 31 + height;
  const data = Buffer.alloc(width * height * 3);
  for (let i = 0; i < data.length; i++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    data[i] = 128 + Math.round(((state >>> 24) - 128) * amount);
  }
  const { FORMAT_RGB: format, SAMP_420: subsampling } = jpegTurbo;
  return new Uint8Array(
    jpegTurbo.compressSync(data, { format, width, height, subsampling, quality }),
  );
}

/** The same picture in another encoding. */
export async function encoded(
  width: number,
  height: number,
  encode: (image: Sharp) => Sharp,
): Promise<Uint8Array> {
  const { data } = picture(width, height, 3);
  return new Uint8Array(
    await encode(sharp(data, { raw: { width, height, channels: 3 } })).toBuffer(),
  );
}

/** Largest difference between two equally long arrays. */
export function maxDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  if (a.length !== b.length) return Infinity;
  let most = 0;
  for (let i = 0; i < a.length; i++) most = Math.max(most, Math.abs(a[i]! - b[i]!));
  return most;
}

/** Mean difference of two equally long arrays. */
export function meanDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  if (a.length !== b.length) return Infinity;
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += Math.abs(a[i]! - b[i]!);
  return sum / a.length;
}

/** Inserts a segment right after a JPEG's start marker. */
export function withSegment(jpeg: Uint8Array, marker: number, body: Uint8Array): Uint8Array {
  const length = body.length + 2;
  return Uint8Array.from([
    ...jpeg.subarray(0, 2),
    0xff,
    marker,
    length >> 8,
    length & 255,
    ...body,
    ...jpeg.subarray(2),
  ]);
}

/** A JPEG of many empty scans of one component, in few bytes; sequential unless said otherwise. */
export function bomb(width: number, height: number, scans: number, process = 0xc0): Uint8Array {
  const segment = (marker: number, ...content: number[]) => {
    const length = content.length + 2;
    return [0xff, marker, length >> 8, length & 255, ...content];
  };
  const table = [1, ...new Array(15).fill(0), 0];
  const size = [height >> 8, height & 255, width >> 8, width & 255];
  const one = (component: number) => [...segment(0xda, 1, component, 0, 0, 63, 0), 0];
  return Uint8Array.from([
    ...[0xff, 0xd8],
    ...segment(0xdb, 0, ...new Array(64).fill(1)),
    ...segment(process, 8, ...size, 3, 1, 0x11, 0, 2, 0x11, 0, 3, 0x11, 0),
    ...segment(0xc4, 0, ...table, 16, ...table),
    ...[1, 2, 3].flatMap(one),
    ...new Array(scans).fill(one(1)).flat(),
    ...[0xff, 0xd9],
  ]);
}
