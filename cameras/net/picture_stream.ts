// Pictures in a stream of bytes, recognised by their own bytes: boundaries, headers and lengths
// between them are hints at most.
import { SourceError } from "../source.ts";
import { ByteQueue } from "./bytes.ts";

/** Most bytes between two pictures. */
const MOST_BETWEEN = 1024 * 1024;
/** Where a part's length is searched: this far before its picture. */
const HEADER_BYTES = 4 * 1024;

/**
 * The pictures in a stream, each as soon as its last byte came. A picture without an end is taken
 * up to its part's `content-length` or the next boundary.
 *
 * @throws {SourceError} when a picture is larger than `maxBytes`, or none comes for a long way.
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
 * Skips what is before a picture; returns the length of its part, NaN without one; undefined at the
 * end.
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

/** Where a JPEG, PNG or WebP begins; −1 where none does. */
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

/** Length of the picture at the start of the input; 0 when the input ends first. */
async function measure(input: ByteQueue, promised: number, maxBytes: number): Promise<number> {
  const walk = startWalk(input.bytes);
  for (;;) {
    const { bytes } = input;
    const end = endOfPicture(bytes, walk);
    if (end <= bytes.length) return end;
    // Only a picture without an end passes its part's length and reaches a boundary.
    const part = endOfPart(bytes, promised);
    if (part > 0) return part;
    const least = Number.isFinite(end) ? end : bytes.length;
    if (least > maxBytes) {
      throw new SourceError(
        "CORRUPT",
        `It sends a picture of ${least} bytes or more: at most ${maxBytes} are accepted`,
        { retryable: true },
      );
    }
    if (!await input.more()) return promised === bytes.length ? promised : 0;
  }
}

/** Whether bytes hold a whole picture, whatever follows it. */
export function isWholePicture(bytes: Uint8Array): boolean {
  return startOfPicture(bytes.subarray(0, LONGEST_SIGN)) === 0 &&
    endOfPicture(bytes, startWalk(bytes)) <= bytes.length;
}

function startWalk(bytes: Uint8Array): Walk {
  return { at: bytes[0] === 0xff ? 2 : 8 };
}

/** One past the end of the picture; beyond the bytes while it is not known. */
function endOfPicture(bytes: Uint8Array, walk: Walk): number {
  if (bytes[0] === 0xff) return endOfJpeg(bytes, walk);
  return bytes[0] === 0x89 ? endOfPng(bytes, walk) : u32(bytes, 4, true) + 8;
}

interface Walk {
  at: number;
  /** In the entropy-coded data of a JPEG. */
  scan?: boolean;
}

function endOfJpeg(bytes: Uint8Array, walk: Walk): number {
  while (walk.at + 1 < bytes.length) {
    const { at } = walk;
    const marker = bytes[at] === 0xff ? bytes[at + 1]! : undefined;
    if (marker === undefined || marker === 0 || (walk.scan && marker >= 0xd0 && marker <= 0xd7)) {
      const next = bytes.indexOf(0xff, marker === undefined ? at : at + 2);
      walk.at = next < 0 ? bytes.length : next;
      if (next < 0) return Infinity;
    } else if (marker === 0xff) {
      walk.at++;
    } else if (marker === 0xd9) {
      return at + 2;
    } else if (marker === 0xd8) {
      if (walk.scan) return beforeBoundary(bytes, at);
      walk.at += 2;
    } else if (marker === 0x01 || (marker >= 0xd0 && marker <= 0xd7)) {
      walk.at += 2;
    } else {
      if (at + 4 > bytes.length) return Infinity;
      walk.at += 2 + Math.max(2, bytes[at + 2]! * 256 + bytes[at + 3]!);
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

/** The promised length, if a boundary follows it; else 0. */
function endOfPart(bytes: Uint8Array, promised: number): number {
  if (!(promised > 4) || bytes.length < promised + 4) return 0;
  return /^(?:\r?\n)?--/.test(text(bytes, promised, 4)) ? promised : 0;
}

/**
 * Where a picture without an end was cut off by the next one at `next`: at the boundary between
 * them.
 */
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
