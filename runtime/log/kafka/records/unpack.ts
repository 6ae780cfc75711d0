// Decompresses batches within limits: a few kilobytes may expand to gigabytes.
import { Buffer } from "node:buffer";
import { BadFrameError } from "../../../definition/frame.ts";
import { blocks, zlib } from "./codecs.ts";

/** Every batch may expand to this size. */
export const FREE_BYTES = 16 * 1024 * 1024;
/** Beyond that, the maximum ratio: encoded images hardly compress. */
export const MOST_TIMES = 4;

const chunkSize = 256 * 1024;
/** Header of snappy streams from Java producers. */
const XERIAL = [0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0];
const XERIAL_HEADER = 16;

/** Throws if the output is longer than `most`. */
type Unpacker = (packed: Buffer, most: number) => Uint8Array;

/** By the codec in the batch's attributes. */
const UNPACKERS: Readonly<Record<number, Unpacker>> = {
  1: (packed, most) => zlib().gunzipSync(packed, { maxOutputLength: most, chunkSize }),
  2: (packed, most) => {
    const chunks = snappyChunks(packed);
    allow(chunks.reduce((sum, chunk) => sum + claimedLength(chunk), 0), most);
    const unpacked = chunks.map((chunk) => blocks().snappyDecompress(chunk));
    return unpacked.length === 1 ? unpacked[0]! : Buffer.concat(unpacked);
  },
  3: (packed, most) => {
    const { unpacked, end } = lz4Length(packed, most);
    allow(unpacked, most);
    // Without what follows the frame, since its size is unknown.
    return blocks().lz4Decompress(packed.subarray(0, end));
  },
  4: (packed, most) => zlib().zstdDecompressSync(packed, { maxOutputLength: most, chunkSize }),
};

/**
 * @param compression the codec in the batch's attributes
 * @throws {BadFrameError} `too-large` beyond both 16 MiB and 4 times the packed size; `corrupt`;
 * `unsupported-type` for unknown codecs
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
    // Some libraries ignore invalid input.
    if (unpacked.length === 0) throw new RangeError("it is empty");
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

class TooLarge extends Error {
  override readonly name = "TooLarge";
}

function allow(length: number, most: number): void {
  if (length > most) throw new TooLarge();
}

/** The chunks of a snappy stream; without the header, one block. */
function snappyChunks(packed: Buffer): Buffer[] {
  if (!XERIAL.every((byte, at) => packed[at] === byte)) return [packed];
  const chunks: Buffer[] = [];
  for (let at = XERIAL_HEADER; at + 4 <= packed.length;) {
    const end = at + 4 + packed.readUInt32BE(at);
    if (end > packed.length) throw new RangeError("it ends inside a chunk");
    chunks.push(packed.subarray(at + 4, end));
    at = end;
  }
  return chunks;
}

/** The decompressed length that a snappy block states. */
function claimedLength(packed: Buffer): number {
  let length = 0;
  for (let at = 0, times = 1; at < packed.length && at < 5; at++, times *= 128) {
    const byte = packed[at]!;
    length += (byte & 127) * times;
    if (byte < 128) return length;
  }
  throw new RangeError("its length cannot be read");
}

const LZ4_MAGIC = 0x184d2204;
/** Flags of the frame header. */
const BLOCK_CHECKSUM = 1 << 4;
const CONTENT_SIZE = 1 << 3;
const CONTENT_CHECKSUM = 1 << 2;
const DICTIONARY = 1;
/** Flag in a block's length: not compressed. */
const STORED = 2 ** 31;

/** Packed and unpacked length of an LZ4 frame. The library would allocate the memory and never free it. */
function lz4Length(packed: Buffer, most: number): { unpacked: number; end: number } {
  if (packed.length < 7 || packed.readUInt32LE(0) !== LZ4_MAGIC) {
    throw new RangeError("it is not an LZ4 frame");
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
  /** Lengths beyond four bits continue until a byte is not 255. */
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
