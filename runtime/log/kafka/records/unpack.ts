// Decompresses batches within limits: a few kilobytes may expand to gigabytes.
import { Buffer } from "node:buffer";
import { concatenated } from "../../../base/bytes.ts";
import { read } from "../../../base/errors.ts";
import { BadFrameError } from "../../../definition/frame.ts";
import { zlib } from "./codecs.ts";
import { lz4, snappy, TooLarge } from "./lz.ts";

/** Every batch may expand to this size. */
export const FREE_BYTES = 16 * 1024 * 1024;
/** Beyond that, the maximum ratio: encoded images hardly compress. */
export const MOST_TIMES = 4;

const chunkSize = 256 * 1024;
/** The first bytes of a gzip member that is compressed by deflate. */
const GZIP_MAGIC = 0x1f8b08;
const GZIP_HEADER = 10;
const GZIP_TRAILER = 8;
/** A zstd frame begins with it (RFC 8878), as a little-endian number. */
const ZSTD_MAGIC = 0xfd2fb528;
/** More would cost much and hold nothing. */
const MOST_ZSTD_FRAMES = 1_000;
/** Header of snappy streams from Java producers. */
const XERIAL = [0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0];
const XERIAL_HEADER = 16;

/** Throws if the output is longer than `most`. */
type Unpacker = (packed: Buffer, most: number) => Uint8Array;

/** By the codec in the batch's attributes. */
const UNPACKERS: Readonly<Record<number, Unpacker>> = {
  1: gunzip,
  2: snappyStream,
  3: lz4,
  4: zstdFrames,
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

/** All gzip members. Bytes after the last one are ignored, as by Java's client and librdkafka. */
function gunzip(packed: Buffer, most: number): Uint8Array {
  const { gunzipSync } = zlib(), options = { maxOutputLength: most, chunkSize };
  try {
    return gunzipSync(packed, options);
  } catch (error) {
    const end = read(error, "code") === "ERR_BUFFER_TOO_LARGE" ? 0 : endOfMembers(packed, most);
    if (end === 0 || end === packed.length) throw error;
    return gunzipSync(packed.subarray(0, end), options);
  }
}

/** Where the last gzip member ends (RFC 1952). */
function endOfMembers(packed: Buffer, most: number): number {
  const options = { info: true, maxOutputLength: most, chunkSize: 16 * 1024 };
  let end = 0;
  while (packed.length - end > GZIP_HEADER && packed.readUIntBE(end, 3) === GZIP_MAGIC) {
    const flags = packed[end + 3]!;
    end += GZIP_HEADER;
    if (flags & 4) end += 2 + packed.readUInt16LE(end);
    for (const text of [8, 16]) if (flags & text) end = packed.indexOf(0, end) + 1;
    if (flags & 2) end += 2;
    const inflated: unknown = zlib().inflateRawSync(packed.subarray(end), options);
    end += Number(read(read(inflated, "engine"), "bytesWritten")) + GZIP_TRAILER;
  }
  return end;
}

/** All zstd frames, as producers that flush in between write them. Bytes after the last one are ignored. */
function zstdFrames(packed: Buffer, most: number): Uint8Array {
  const frames: Uint8Array[] = [];
  let at = 0, left = most;
  do {
    if (frames.length === MOST_ZSTD_FRAMES) {
      throw new RangeError(`it has more than ${MOST_ZSTD_FRAMES} zstd frames`);
    }
    // Later frames are mostly small, and each holds on to a chunk.
    const size = at === 0 ? chunkSize : 16 * 1024;
    const options = { info: true, maxOutputLength: most, chunkSize: size };
    const unpacked: unknown = zlib().zstdDecompressSync(packed.subarray(at), options);
    const frame = read(unpacked, "buffer") as Uint8Array;
    if ((left -= frame.length) < 0) throw new TooLarge();
    frames.push(frame);
    at += Number(read(read(unpacked, "engine"), "bytesWritten"));
  } while (packed.length - at > 4 && packed.readUInt32LE(at) === ZSTD_MAGIC);
  return concatenated(frames);
}

/** A stream of Snappy chunks, or one block without the stream's header. */
function snappyStream(packed: Buffer, most: number): Uint8Array {
  if (!XERIAL.every((byte, at) => packed[at] === byte)) return snappy(packed, most);
  const chunks: Uint8Array[] = [];
  let left = most;
  for (let at = XERIAL_HEADER; at + 4 <= packed.length;) {
    const end = at + 4 + packed.readUInt32BE(at);
    const chunk = snappy(packed.subarray(at + 4, end), left);
    chunks.push(chunk);
    left -= chunk.length;
    at = end;
  }
  return Buffer.concat(chunks);
}
