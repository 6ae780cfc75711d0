// @ts-nocheck: AssemblyScript, which tools/kernels.ts compiles to crc32c.wasm
/**
 * CRC-32C of the bytes that `crc32c.ts` wrote at `DATA`, in two steps.
 *
 * Folding: y^209 + y^144 + y^54 + y^39 + y^14 + 1 is a multiple of the CRC's polynomial for y = x, and so
 * also for y = x^128. A vector of 128 bits may therefore be XORed into the vectors 65, 155, 170, 195 and
 * 209 places later, until only the last 209 remain. With smaller distances loads would wait for stores.
 * See K. Bickel, C. Coughlin: Chorba: A novel CRC32 implementation, 2024.
 *
 * The rest by table, 16 bytes at a time (M. E. Kounavis, F. L. Berry, 2008).
 *
 * @module
 */
/** 16 tables of 256 entries. */
const TABLES: usize = 0;
const TABLE: usize = 1024;
/** Zeros before the data, for the first vectors. */
const WINDOW: usize = 209 * 16;
/** Where the data is: a multiple of 16. */
export const DATA: usize = 16 * TABLE + WINDOW;
/** The polynomial, reflected. */
const POLYNOMIAL: u32 = 0x82f63b78;

for (let byte: u32 = 0; byte < 256; byte++) {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (POLYNOMIAL & -(crc & 1));
  store<u32>(TABLES + 4 * byte, crc);
}
for (let entry: usize = 4 * 256; entry < 16 * TABLE; entry += 4) {
  const before = load<u32>(entry - TABLE);
  store<u32>(entry, (before >>> 8) ^ load<u32>(TABLES + 4 * (before & 255)));
}

function look(table: usize, word: u32, shift: u32): u32 {
  return load<u32>(TABLES + table * TABLE + 4 * ((word >>> shift) & 255));
}

function four(table: usize, word: u32): u32 {
  return look(table + 3, word, 0) ^ look(table + 2, word, 8) ^ look(table + 1, word, 16) ^
    look(table, word, 24);
}

function add(at: usize, distance: usize): void {
  v128.store(at, v128.xor(v128.load(at), v128.load(at - distance)));
}

/** The register after `length` bytes at `DATA`, which are overwritten, from `crc` before them. */
export function update(crc: u32, length: usize): u32 {
  let at = DATA;
  const end = at + length;
  if (length >= 2 * WINDOW) {
    store<u32>(at, load<u32>(at) ^ crc);
    crc = 0;
    const rest = at + ((length - WINDOW) & ~15);
    for (; at < rest; at += 16) {
      const far = v128.xor(v128.load(at - 209 * 16), v128.load(at - 195 * 16));
      const middle = v128.xor(v128.load(at - 170 * 16), v128.load(at - 155 * 16));
      const near = v128.xor(v128.load(at), v128.load(at - 65 * 16));
      v128.store(at, v128.xor(near, v128.xor(far, middle)));
    }
    // The remaining vectors receive what was folded.
    for (let to = rest; to < rest + 65 * 16; to += 16) add(to, 65 * 16);
    for (let to = rest; to < rest + 155 * 16; to += 16) add(to, 155 * 16);
    for (let to = rest; to < rest + 170 * 16; to += 16) add(to, 170 * 16);
    for (let to = rest; to < rest + 195 * 16; to += 16) add(to, 195 * 16);
    for (let to = rest; to < rest + 209 * 16; to += 16) add(to, 209 * 16);
  }
  for (; at + 16 <= end; at += 16) {
    crc = four(12, load<u32>(at) ^ crc) ^ four(8, load<u32>(at + 4)) ^
      four(4, load<u32>(at + 8)) ^ four(0, load<u32>(at + 12));
  }
  for (; at < end; at++) crc = (crc >>> 8) ^ look(0, crc ^ load<u8>(at), 0);
  return crc;
}
