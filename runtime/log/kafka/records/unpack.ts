// Unpacks the records of a compressed batch, within bounds: a few kilobytes may claim to be gigabytes.
import { Buffer } from "node:buffer";
import { BadFrameError } from "../../../definition/frame.ts";
import { blocks, zlib } from "./codecs.ts";

/** A batch may unpack to this size, however small it is. */
export const FREE_BYTES = 16 * 1024 * 1024;
/** One that unpacks to more must be large itself: encoded images hardly get smaller. */
export const MOST_TIMES = 4;

/** Output is collected in pieces of this size. */
const chunkSize = 256 * 1024;
/** What Java's producers write before their pieces of snappy: a magic word and two versions. */
const XERIAL = [0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0];
const XERIAL_HEADER = 16;

/** Unpacks to `most` bytes at most; longer output throws. */
type Unpacker = (packed: Buffer, most: number) => Uint8Array;

/** By the number that Kafka gives each kind of compression. */
const UNPACKERS: Readonly<Record<number, Unpacker>> = {
  1: (packed, most) => zlib().gunzipSync(packed, { maxOutputLength: most, chunkSize }),
  2: (packed, most) => {
    const pieces = snappyPieces(packed);
    allow(pieces.reduce((sum, piece) => sum + claimedLength(piece, 0), 0), most);
    const unpacked = pieces.map((piece) => blocks().snappyDecompress(piece));
    return unpacked.length === 1 ? unpacked[0]! : Buffer.concat(unpacked);
  },
  3: (packed, most) => {
    const { unpacked, end } = lz4Length(packed, most);
    allow(unpacked, most);
    // What follows the frame is not measured.
    return blocks().lz4Decompress(packed.subarray(0, end));
  },
  4: (packed, most) => zlib().zstdDecompressSync(packed, { maxOutputLength: most, chunkSize }),
};

/**
 * The records of a batch as they were before they were compressed. Takes no more memory than is
 * allowed, also where there is more in it.
 *
 * @param compression the number in the batch's attributes.
 * @throws {BadFrameError} `too-large` when they take more than 16 MiB and more than 4 times the packed
 * bytes, `corrupt` when they cannot be unpacked, `unsupported-type` when the compression is unknown.
 */
export function unpack(packed: Uint8Array, compression: number): Uint8Array {
  const unpacker = UNPACKERS[compression];
  if (unpacker === undefined) {
    throw new BadFrameError(
      "unsupported-type",
      `Cannot unpack a record batch: compression ${compression} is unknown`,
    );
  }
  const most = Math.max(FREE_BYTES, MOST_TIMES * packed.length);
  try {
    const unpacked = unpacker(Buffer.from(packed.buffer, packed.byteOffset, packed.length), most);
    // A library that meets nonsense may stop without a word.
    if (unpacked.length === 0) throw new RangeError("nothing came out");
    return unpacked;
  } catch (error) {
    const { code, message } = error as Error & { code?: string };
    if (code === "ERR_BUFFER_TOO_LARGE" || error instanceof TooLarge) {
      throw new BadFrameError(
        "too-large",
        `Cannot unpack a record batch of ${packed.length} bytes: it unpacks to more than ${most}; ` +
          `${FREE_BYTES} are accepted, or ${MOST_TIMES} times its own size`,
      );
    }
    throw new BadFrameError(
      "corrupt",
      `Cannot unpack a record batch of ${packed.length} bytes: ${message}`,
      { cause: error },
    );
  }
}

/** There is more in it than is allowed. */
class TooLarge extends Error {
  override readonly name = "TooLarge";
}

function allow(length: number, most: number): void {
  if (length > most) throw new TooLarge();
}

/** The pieces of snappy: one, or Java's many. */
function snappyPieces(packed: Buffer): Buffer[] {
  if (!XERIAL.every((byte, at) => packed[at] === byte)) return [packed];
  const pieces: Buffer[] = [];
  for (let at = XERIAL_HEADER; at + 4 <= packed.length;) {
    const end = at + 4 + packed.readUInt32BE(at);
    if (end > packed.length) throw new RangeError("it ends inside a piece");
    pieces.push(packed.subarray(at + 4, end));
    at = end;
  }
  return pieces;
}

/** What snappy says of its own length. */
function claimedLength(packed: Buffer, from: number): number {
  let length = 0;
  for (let at = from, times = 1; at < packed.length && at < from + 5; at++, times *= 128) {
    const byte = packed[at]!;
    length += (byte & 127) * times;
    if (byte < 128) return length;
  }
  throw new RangeError("its length cannot be read");
}

const LZ4_MAGIC = 0x184d2204;
/** Flags in an LZ4 frame's header. */
const BLOCK_CHECKSUM = 1 << 4;
const CONTENT_SIZE = 1 << 3;
const CONTENT_CHECKSUM = 1 << 2;
const DICTIONARY = 1;
/** Of a block's length: it is stored as it is. */
const STORED = 2 ** 31;

/**
 * How long an LZ4 frame is, packed and unpacked: lengths are added up, nothing is written. The library
 * would take the memory first, and never give it back.
 */
function lz4Length(packed: Buffer, most: number): { unpacked: number; end: number } {
  if (packed.length < 7 || packed.readUInt32LE(0) !== LZ4_MAGIC) {
    throw new RangeError("it is no LZ4 frame");
  }
  const flags = packed[4]!;
  let at = 7 + ((flags & CONTENT_SIZE) === 0 ? 0 : 8) + ((flags & DICTIONARY) === 0 ? 0 : 4);
  let unpacked = 0;
  for (;;) {
    if (at + 4 > packed.length) throw new RangeError("it ends inside its frame");
    const word = packed.readUInt32LE(at);
    at += 4;
    if (word === 0) break;
    const size = word % STORED;
    if (at + size > packed.length) throw new RangeError("it ends inside a block");
    unpacked += word >= STORED ? size : lz4BlockLength(packed, at, at + size, most);
    if (unpacked > most) break;
    at += size + ((flags & BLOCK_CHECKSUM) === 0 ? 0 : 4);
  }
  if ((flags & CONTENT_CHECKSUM) !== 0) at += 4;
  return { unpacked, end: at };
}

function lz4BlockLength(packed: Buffer, from: number, end: number, most: number): number {
  let at = from;
  let length = 0;
  /** A length that did not fit into its four bits continues until a byte is not full. */
  const more = (bits: number) => {
    let sum = bits;
    if (bits < 15) return sum;
    for (let byte = 255; byte === 255 && at < end;) sum += byte = packed[at++]!;
    return sum;
  };
  while (at < end && length <= most) {
    const token = packed[at++]!;
    const literals = more(token >> 4);
    at += literals;
    length += literals;
    // The last sequence has no match.
    if (at >= end) break;
    at += 2;
    length += more(token & 15) + 4;
  }
  return length;
}
