// The chunks of a PNG.
import { concatenated } from "../base/bytes.ts";

const SIGNATURE = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];
/** Bytes of a chunk besides its data: length, type, checksum. */
const CHUNK_BYTES = 12;

/** Types of chunks with compressed texts. */
const ZTXT = 0x7a545874, ITXT = 0x69545874;

/** Whether the bytes begin as a PNG does. */
export function isPng(bytes: Uint8Array): boolean {
  return SIGNATURE.every((byte, i) => bytes[i] === byte);
}

/**
 * A PNG without its compressed texts, which decoders inflate although no picture needs them: a small file can
 * hold gigabytes of them. Any other image is returned unchanged.
 */
export function withoutTexts(bytes: Uint8Array): Uint8Array {
  if (!isPng(bytes)) return bytes;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const kept: Uint8Array[] = [];
  let from = 0;
  for (let at = SIGNATURE.length; at + CHUNK_BYTES <= bytes.length;) {
    const type = view.getUint32(at + 4), end = at + CHUNK_BYTES + view.getUint32(at);
    if (type === ZTXT || type === ITXT) {
      if (at > from) kept.push(bytes.subarray(from, at));
      from = end;
    }
    at = end;
  }
  return from === 0 ? bytes : concatenated([...kept, bytes.subarray(from)]);
}
