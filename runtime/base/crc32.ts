// CRC-32 of short texts. `node:zlib` has it too, and takes 25 ms of processor to load in each executor.
const POLYNOMIAL = 0xedb88320;

const TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (POLYNOMIAL & -(crc & 1));
  return crc >>> 0;
});

/**
 * CRC-32 (as of gzip) of a text in UTF-8, as a number of 32 bits without sign.
 *
 * @example
 * ```ts
 * crc32("123456789"); // 0xcbf43926
 * ```
 */
export function crc32(text: string): number {
  let crc = -1;
  for (const byte of new TextEncoder().encode(text)) {
    crc = TABLE[(crc ^ byte) & 255]! ^ (crc >>> 8);
  }
  return ~crc >>> 0;
}
