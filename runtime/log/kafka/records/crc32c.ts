// CRC-32C (Castagnoli), the checksum of record batches; `node:zlib` has another polynomial.
import { DATA, memory, update } from "./crc32c.wasm";

/** Input of one call. */
const room = new Uint8Array(memory.buffer, DATA);

/**
 * CRC-32C as an unsigned number.
 *
 * @example
 * ```ts
 * crc32c(new TextEncoder().encode("123456789")); // 0xe3069283
 * ```
 */
export function crc32c(bytes: Uint8Array): number {
  let crc = -1;
  for (let from = 0; from < bytes.length; from += room.length) {
    const part = bytes.length <= room.length ? bytes : bytes.subarray(from, from + room.length);
    room.set(part);
    crc = update(crc, part.length);
  }
  return ~crc >>> 0;
}
