// @ts-nocheck: AssemblyScript
/**
 * The luma of a JPEG without decoding it: where each block's AC codes lie is found, and they are
 * copied as they are, in the order of a grey JPEG. Only what depends on the order is coded again, a
 * block's DC difference.
 *
 * @module
 */
import { longCode, markers, received, REFILLED, reversed } from "./entropy.as.ts";
import {
  BLOCKS,
  BOTH_LENGTHS,
  DC_BITS,
  DC_CODES,
  LENGTH,
  LOOKUP_BITS,
  RECORD_BITS,
  RECORD_BYTES,
  RECORD_POSITION,
  SECOND_STEP,
  STEP,
  VALUE,
} from "./layout.ts";

/** Bits that can be taken from anywhere and written at once. */
const MOST_BITS: u32 = 56;

/**
 * Reads minimum coded units (MCUs) of `blocks` blocks each for the length of their codes, and records
 * the first `luma` blocks of each, which lie two beside each other and two below them.
 *
 * Reads up to 2100 bytes below `end`. Writes a record for each block that is recorded.
 *
 * @param start where the first eight bytes lie
 * @param end where the last eight bytes lie
 * @param width MCUs in a row
 * @param pitch bytes of records in a row of blocks
 * @returns how many bits were read; −1 for what is not a JPEG
 */
export function findCodes(
  start: usize,
  end: usize,
  mcus: u32,
  blocks: u32,
  luma: u32,
  width: u32,
  records: usize,
  pitch: usize,
): i32 {
  let next = start, bits: u64 = 0, count: u64 = 0, column: u32 = 0;
  const blocksEnd: usize = BLOCKS + 16 * blocks, lumaEnd: usize = BLOCKS + 16 * luma;
  for (; mcus; mcus--) {
    let record = records;
    for (let block: usize = BLOCKS; block < blocksEnd; block += 16) {
      const dc = load<usize>(block), ac = load<usize>(block, 4), prediction = load<usize>(block, 8);
      bits |= load<u64>(next) >> count;
      next -= <usize> ((63 - count) >> 3);
      count |= REFILLED;
      let entry = dc + (<usize> (bits >> (64 - DC_BITS)) << 3);
      let length: u64 = load<u8>(entry, STEP), symbol: u32 = load<u8>(entry, VALUE);
      if (!length) {
        const code = longCode(dc, <u32> (bits >> 48), DC_BITS);
        if (code < 0) return -1;
        length = code >> 8;
        symbol = code & 255;
      }
      bits <<= length;
      const size: u64 = symbol & 15;
      const value = received(bits, size) + load<i32>(prediction);
      bits <<= size;
      count -= length + size;
      store<i32>(prediction, value);
      const position = (<u32> (start - next) << 3) - <u32> count;

      let k: u32 = 1, first: u32 = 0;
      do {
        bits |= load<u64>(next) >> count;
        next -= <usize> ((63 - count) >> 3);
        count |= REFILLED;
        let lookups = 5;
        do {
          entry = ac + (<usize> (bits >> (64 - LOOKUP_BITS)) << 3);
          length = load<u8>(entry, BOTH_LENGTHS);
          if (!length) {
            bits |= load<u64>(next) >> count;
            next -= <usize> ((63 - count) >> 3);
            count |= REFILLED;
            length = load<u8>(entry, STEP);
            symbol = load<u8>(entry, VALUE);
            if (!length) {
              const code = longCode(ac, <u32> (bits >> 48), LOOKUP_BITS);
              if (code < 0) return -1;
              length = code >> 8;
              symbol = code & 255;
            }
            length += symbol & 15;
            bits <<= length;
            count -= length;
            // Nothing but zeros: to the end of the block (EOB), or sixteen of them (ZRL).
            k += symbol ? (symbol >> 4) + 1 : 128;
            first = k;
            break;
          }
          first = k + load<u8>(entry, STEP);
          k = first + load<u8>(entry, SECOND_STEP);
          bits <<= length;
          count -= length;
        } while (k < 64 && --lookups);
      } while (k < 64);
      if (first === 64 && k !== 64) {
        // What followed the block's last coefficient belongs to the next one.
        count += load<u8>(entry, BOTH_LENGTHS) - load<u8>(entry, LENGTH);
        bits = load<u64>(next + <usize> ((count + 7) >> 3)) << ((0 - count) & 7);
        k = 64;
      }
      if (k - 65 < 64 || k > 191) return -1;

      if (block < lumaEnd) {
        store<i32>(record, value);
        store<u32>(record, position, RECORD_POSITION);
        store<u32>(record, (<u32> (start - next) << 3) - <u32> count - position, RECORD_BITS);
        record += RECORD_BYTES;
        if (block === BLOCKS + 16) record = records + pitch;
      }
    }
    if (<isize> next < <isize> end) return -1;
    if (!luma) continue;
    records += 2 * RECORD_BYTES;
    if (++column === width) {
      column = 0;
      records += 2 * pitch - <usize> width * 2 * RECORD_BYTES;
    }
  }
  return <i32> ((start - next) << 3) - <i32> count;
}

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
