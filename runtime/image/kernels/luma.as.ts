// @ts-nocheck: AssemblyScript
/**
 * The luma of a JPEG without decoding it: where each block's AC codes lie is found, and they are
 * copied as they are, in the order of a grey JPEG. Only what depends on the order is coded again, a
 * block's DC difference.
 *
 * @module
 */
import { markers, reversed } from "./entropy.as.ts";
import { DC_CODES, RECORD_BITS, RECORD_BYTES, RECORD_POSITION } from "./layout.ts";

/** Bits that can be taken from anywhere and written at once. */
const MOST_BITS: u32 = 56;

/**
 * Writes the codes of recorded blocks row by row, downwards from `to`, the last byte filled with
 * ones. Writes up to eight bytes below what it returns.
 *
 * @param codes behind the codes that were recorded
 * @param across blocks in a row
 * @returns where they end; 0 when a difference has no code
 */
export function copyLuma(
  codes: usize,
  record: usize,
  across: u32,
  rows: u32,
  pitch: usize,
  to: usize,
): usize {
  let pending: u64 = 0, held: u64 = 0, before = 0;
  for (; rows; rows--, record += pitch) {
    let at = record;
    for (let left = across; left; left--, at += RECORD_BYTES) {
      const value = load<i32>(at), difference = value - before, sign = difference >> 31;
      before = value;
      const size: u32 = 32 - clz((difference ^ sign) - sign);
      if (size > 11) return 0;
      const code = <usize> DC_CODES + (<usize> size << 3);
      const length = <u64> (load<u32>(code, 4) + size);
      // A difference below zero is written less one, in as many bits as it takes without its sign.
      const low = <u32> (difference + sign) & ((1 << size) - 1);
      pending |= <u64> (load<u32>(code) << size | low) << (64 - length) >> held;
      held += length;
      store<u64>(to - 8, pending);
      to -= <usize> (held >> 3);
      pending <<= held & 56;
      held &= 7;

      let position = load<u32>(at, RECORD_POSITION);
      let rest = load<u32>(at, RECORD_BITS);
      do {
        let part = rest;
        if (part > MOST_BITS) part = MOST_BITS;
        const unused: u64 = 64 - part;
        const taken = load<u64>(codes - 8 - (position >> 3)) << (position & 7) >> unused << unused;
        pending |= taken >> held;
        held += part;
        store<u64>(to - 8, pending);
        to -= <usize> (held >> 3);
        pending <<= held & 56;
        held &= 7;
        position += part;
        rest -= part;
      } while (rest);
    }
  }
  if (held) {
    store<u64>(to - 8, pending | (<u64> -1 << 56) >> held);
    to -= 1;
  }
  return to;
}

/**
 * Copies codes that lie downwards from `from` to `end`, with a zero behind each 255. Writes up to 16
 * bytes behind what it copies.
 *
 * @returns where the copy ends
 */
export function stuff(from: usize, end: usize, to: usize): usize {
  for (;;) {
    const bytes = reversed(v128.load(from - 16));
    v128.store(to, bytes);
    const count = <usize> ctz(markers(bytes) | 1 << 16);
    if (from - end <= count) break;
    if (count === 16) {
      from -= 16;
      to += 16;
      continue;
    }
    store<u8>(to + count, 0, 1);
    from -= count + 1;
    to += count + 2;
  }
  return to + (from - end);
}
