// @ts-nocheck: AssemblyScript
/**
 * Entropy-coded segments: bytes to bits, bits to Huffman codes.
 *
 * Codes lie in memory backwards, the first byte at the highest address, so that eight bytes that are
 * loaded as one number are in order. A reader is three variables: `bits`, whose highest ones come
 * next, `count` of them unread, and `next`, the address of the eight bytes to take in then.
 *
 * @module
 */
import { DELTAS, LIMITS, SYMBOLS, UNSTUFFED } from "./layout.ts";

/** Unread bits after a refill, at least. */
export const REFILLED: u64 = 56;

export function reversed(bytes: v128): v128 {
  return v128.shuffle<u8>(bytes, bytes, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
}

/** A bit for each byte that is 255. */
export function markers(bytes: v128): i32 {
  return i8x16.bitmask(i8x16.eq(bytes, i8x16.splat(-1)));
}

/**
 * Copies an entropy-coded segment, downwards from `to`, without the zeros that are stuffed behind
 * each 255. Reads up to 16 bytes behind the marker that ends the segment, writes up to 16 bytes
 * below what it copies.
 *
 * @returns where the marker lies
 */
export function unstuff(from: usize, to: usize): usize {
  const start = to;
  for (;;) {
    const bytes = v128.load(from);
    v128.store(to - 16, reversed(bytes));
    const found = markers(bytes);
    if (!found) {
      from += 16;
      to -= 16;
      continue;
    }
    const before = <usize> ctz(found);
    from += before;
    to -= before;
    if (load<u8>(from, 1)) break;
    from += 2;
    to -= 1;
    store<u8>(to, 0xff);
  }
  store<u32>(UNSTUFFED, <u32> (start - to));
  return from;
}

/**
 * A code that is longer than a look-up.
 *
 * @param peeked the next 16 bits
 * @param length bits of the look-up
 * @returns its length, above the eight bits of its symbol; −1 where no code begins like this
 */
export function longCode(table: usize, peeked: u32, length: u32): i32 {
  do length++; while (peeked >= load<u32>(table + (<usize> length << 2) + LIMITS));
  if (length > 16) return -1;
  const delta = load<i32>(table + (<usize> length << 2) + DELTAS);
  const index = delta + <i32> (peeked >> (16 - length));
  return <i32> (length << 8) | <i32> load<u8>(table + index + SYMBOLS);
}

/** RECEIVE and EXTEND of the standard: the value of `size` bits, those that begin with 0 below zero. */
export function received(bits: u64, size: u64): i32 {
  const below = ((<i64> -1 << size) + 1) & ~(<i64> bits >> 63);
  // In two steps, for a size of 0 leaves nothing.
  return <i32> (((bits >> 1) >> (63 - size)) + below);
}
