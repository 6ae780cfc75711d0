// Splits a byte stream into pictures, recognised by their own bytes: boundaries, headers and
// lengths between them are only hints.
import { SourceError } from "../source.ts";
import { ByteQueue } from "./bytes.ts";

/** The most bytes between two pictures; a camera's headers take a few hundred. */
const MOST_BETWEEN = 1024 * 1024;
/** How far before a picture the length of its part is searched for. */
const HEADER_BYTES = 4 * 1024;

/**
 * Yields each picture of a stream as soon as its last byte arrives. A picture without an end
 * extends as far as its part's `content-length` or the next boundary says, and may be damaged.
 *
 * @throws {SourceError} if a picture is larger than `maxBytes`, or none is found within a megabyte.
 */
export async function* pictures(
  chunks: AsyncIterable<Uint8Array>,
  maxBytes: number,
): AsyncGenerator<Uint8Array<ArrayBuffer>, void, undefined> {
  const input = new ByteQueue(chunks);
  try {
    for (;;) {
      const length = await findPicture(input);
      if (length === undefined) return;
      const size = await measure(input, length, maxBytes);
      if (size === 0) return;
      yield input.take(size);
    }
  } finally {
    await input.close();
  }
}

/**
 * Skips the bytes before a picture.
 *
 * @returns the length that its part declares, NaN if none; undefined at the end
 */
async function findPicture(input: ByteQueue): Promise<number | undefined> {
  let before = "";
  for (let skipped = 0;;) {
    const { bytes } = input;
    const at = startOfPicture(bytes);
    const end = at >= 0 ? at : Math.max(0, bytes.length - LONGEST_SIGN + 1);
    before += new TextDecoder("latin1").decode(
      bytes.subarray(Math.max(0, end - HEADER_BYTES), end),
    );
    before = before.slice(-HEADER_BYTES);
    skipped += end;
    input.skip(end);
    if (at >= 0) {
      const header = before.slice(before.lastIndexOf("--") + 1);
      return Number(/content-length:[ \t]*(\d+)/i.exec(header)?.[1] ?? NaN);
    }
    if (skipped > MOST_BETWEEN) {
      throw new SourceError("CORRUPT", `It sends no picture within ${MOST_BETWEEN} bytes`, {
        retryable: true,
      });
    }
    if (!await input.more()) return undefined;
  }
}

const LONGEST_SIGN = 12;

function startOfPicture(bytes: Uint8Array): number {
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at];
    if (byte === 0xff && bytes[at + 1] === 0xd8 && bytes[at + 2] === 0xff) return at;
    if (byte === 0x89 && text(bytes, at + 1, 3) === "PNG") return at;
    if (byte === 0x52 && text(bytes, at, 4) === "RIFF" && text(bytes, at + 8, 4) === "WEBP") {
      return at;
    }
  }
  return -1;
}

function text(bytes: Uint8Array, at: number, length: number): string {
  return String.fromCharCode(...bytes.subarray(at, at + length));
}

/** The length of the picture at the start of the input; 0 if the input ends first. */
async function measure(input: ByteQueue, declared: number, maxBytes: number): Promise<number> {
  const walk = startWalk(input.bytes);
  for (;;) {
    const { bytes } = input;
    const end = endOfPicture(bytes, walk);
    if (end <= bytes.length) return end;
    // Only a picture without an end reaches the boundary after its part.
    const part = endOfPart(bytes, declared);
    if (part > 0) return part;
    const least = Number.isFinite(end) ? end : bytes.length;
    if (least > maxBytes) {
      throw new SourceError(
        "CORRUPT",
        `It sends a picture of ${least} bytes or more: at most ${maxBytes} are accepted`,
        { retryable: true },
      );
    }
    if (!await input.more()) return declared === bytes.length ? declared : 0;
  }
}

/** True if the bytes contain a picture including its end; more bytes may follow. */
export function isWholePicture(bytes: Uint8Array): boolean {
  return startOfPicture(bytes.subarray(0, LONGEST_SIGN)) === 0 &&
    endOfPicture(bytes, startWalk(bytes)) <= bytes.length;
}

function startWalk(bytes: Uint8Array): Walk {
  return { at: bytes[0] === 0xff ? 2 : 8 };
}

/** The end of the picture; more than the buffered bytes while unknown. */
function endOfPicture(bytes: Uint8Array, walk: Walk): number {
  if (bytes[0] === 0xff) return endOfJpeg(bytes, walk);
  return bytes[0] === 0x89 ? endOfPng(bytes, walk) : u32(bytes, 4, true) + 8;
}

interface Walk {
  at: number;
  /** Inside the entropy-coded data of a JPEG. */
  scan?: boolean;
}

function endOfJpeg(bytes: Uint8Array, walk: Walk): number {
  while (walk.at + 1 < bytes.length) {
    const { at } = walk;
    const marker = bytes[at] === 0xff ? bytes[at + 1]! : undefined;
    if (marker === undefined || marker === 0 || (walk.scan && marker >= 0xd0 && marker <= 0xd7)) {
      // Entropy-coded data, or stray bytes between segments.
      const next = bytes.indexOf(0xff, marker === undefined ? at : at + 2);
      walk.at = next < 0 ? bytes.length : next;
      if (next < 0) return Infinity;
    } else if (marker === 0xff) {
      walk.at++;
    } else if (marker === 0xd9) {
      return at + 2;
    } else if (marker === 0xd8) {
      return beforeBoundary(bytes, at);
    } else {
      if (at + 4 > bytes.length) return Infinity;
      walk.at += 2 + bytes[at + 2]! * 256 + bytes[at + 3]!;
      walk.scan = marker === 0xda;
    }
  }
  return Infinity;
}

function endOfPng(bytes: Uint8Array, walk: Walk): number {
  while (walk.at + 8 <= bytes.length) {
    const end = walk.at + 12 + u32(bytes, walk.at, false);
    if (text(bytes, walk.at + 4, 4) === "IEND") return end;
    walk.at = end;
  }
  return Infinity;
}

/** The declared length if a boundary follows it; otherwise 0. */
function endOfPart(bytes: Uint8Array, declared: number): number {
  if (!(declared > 4) || bytes.length < declared + 4) return 0;
  return /^(?:\r?\n)?--/.test(text(bytes, declared, 4)) ? declared : 0;
}

/** The end of a picture cut off by the next one at `next`: the boundary between them. */
function beforeBoundary(bytes: Uint8Array, next: number): number {
  const from = Math.max(2, next - HEADER_BYTES);
  const between = new TextDecoder("latin1").decode(bytes.subarray(from, next));
  const boundary = between.search(/\r?\n--[^\r\n]*\r?\n(?:[!-9;-~]+:[^\r\n]*\r?\n)*\r?\n$/);
  return boundary < 0 ? next : from + boundary;
}

function u32(bytes: Uint8Array, at: number, little: boolean): number {
  if (at + 4 > bytes.length) return Infinity;
  return new DataView(bytes.buffer, bytes.byteOffset).getUint32(at, little);
}
