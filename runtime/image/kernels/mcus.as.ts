// @ts-nocheck: AssemblyScript
/**
 * Minimum coded units (MCUs) of a baseline JPEG. Most of the work is reading Huffman codes: one look-up
 * gives a whole coefficient (the zeros before it, its value, the bits it took), often two; what does not
 * fit into a look-up takes a slower way.
 *
 * @module
 */
import { longCode, received, REFILLED } from "./entropy.as.ts";
import { chroma, luma } from "./idct.as.ts";
import {
  BLOCK_BYTES,
  BLOCKS,
  BOTH_LENGTHS,
  COEFFICIENTS,
  DC_BITS,
  ENDS,
  LENGTH,
  LOOKUP_BITS,
  PLANES,
  RECORD_BITS,
  RECORD_BYTES,
  RECORD_POSITION,
  SECOND_STEP,
  SECOND_VALUE,
  STEP,
  VALUE,
  ZIGZAG,
} from "./layout.ts";

/**
 * Decodes MCUs of 4:2:0 (four blocks of luma, two of chroma) to eight samples each way in every plane.
 * Reads up to 1300 bytes below `end`. The planes have room for the MCUs up to the last.
 *
 * @param start where the first eight bytes lie
 * @param end where the last eight bytes lie
 * @param width MCUs in a row, 1 at least
 * @param stride bytes from a row of a plane to the next
 * @param from number of the first MCU
 * @returns how many bits were read; −1 for what is not a JPEG, or is not worth the trouble
 */
export function decodeHalf(
  start: usize,
  end: usize,
  mcus: u32,
  width: u32,
  stride: usize,
  from: u32,
): i32 {
  const column = from % width;
  const at: usize = (<usize> (from / width) * stride + <usize> column) << 3;
  return readMcus<u8>(start, end, mcus, 6, 4, width, column, at, stride);
}

/**
 * Reads MCUs of `blocks` blocks each for the length of their codes, and records the first `luma` blocks of
 * each, which lie two beside each other and two below them.
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
  return readMcus<u32>(start, end, mcus, blocks, luma, width, 0, records, pitch);
}

/**
 * Reads MCUs. Compiled for each type of what is written, without what the other one needs: `u8` for samples,
 * `u32` for records.
 *
 * @param at of the first MCU: its samples in a plane, or its records
 * @param pitch bytes from a row of samples, or of records, to the next
 */
function readMcus<Into>(
  start: usize,
  end: usize,
  mcus: u32,
  blocks: u32,
  lumaBlocks: u32,
  width: u32,
  column: u32,
  at: usize,
  pitch: usize,
): i32 {
  const decodes = sizeof<Into>() === 1, zero = i16x8.splat(0);
  const blocksEnd: usize = BLOCKS + 16 * blocks, lumaEnd: usize = BLOCKS + 16 * lumaBlocks;
  let next = start, bits: u64 = 0, count: u64 = 0;
  for (; mcus; mcus--) {
    let ended: usize = ENDS, record = at;
    for (let block: usize = BLOCKS; block < blocksEnd; block += 16) {
      const dc = load<usize>(block), ac = load<usize>(block, 4), prediction = load<usize>(block, 8);
      const coefficients = load<usize>(block, 12);
      if (decodes) {
        v128.store(coefficients, zero);
        v128.store(coefficients, zero, 16);
        v128.store(coefficients, zero, 32);
        v128.store(coefficients, zero, 48);
        v128.store(coefficients, zero, 64);
        v128.store(coefficients, zero, 80);
        v128.store(coefficients, zero, 96);
        v128.store(coefficients, zero, 112);
      }
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
      let size: u64 = symbol & 15;
      let value = received(bits, size) + load<i32>(prediction);
      bits <<= size;
      count -= length + size;
      store<i32>(prediction, value);
      const difference = value, position = (<u32> (start - next) << 3) - <u32> count;
      if (decodes) store<i16>(coefficients, <i16> value);

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
            bits <<= length;
            size = symbol & 15;
            value = received(bits, size);
            bits <<= size;
            count -= length + size;
            // Nothing but zeros: to the end of the block (EOB), or sixteen of them (ZRL).
            k += symbol ? (symbol >> 4) + 1 : 128;
            if (decodes) store<i16>(coefficients + load<u8>(k, ZIGZAG), <i16> value);
            first = k;
            break;
          }
          first = k + load<u8>(entry, STEP);
          if (decodes) store<i16>(coefficients + load<u8>(first, ZIGZAG), load<i16>(entry, VALUE));
          k = first + load<u8>(entry, SECOND_STEP);
          if (decodes) {
            store<i16>(coefficients + load<u8>(k, ZIGZAG), load<i16>(entry, SECOND_VALUE));
          }
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
      // Zeros beyond the block's end: libjpeg decides what they mean.
      if (k - 65 < 64 || k > 191) return -1;
      if (decodes) {
        store<u32>(ended, k);
        ended += 4;
      } else if (block < lumaEnd) {
        store<i32>(record, difference);
        store<u32>(record, position, RECORD_POSITION);
        store<u32>(record, (<u32> (start - next) << 3) - <u32> count - position, RECORD_BITS);
        record += RECORD_BYTES;
        if (block === BLOCKS + 16) record = at + pitch;
      }
    }
    if (<isize> next < <isize> end) return -1;
    if (decodes) {
      const y = load<usize>(PLANES) + at;
      luma(COEFFICIENTS, y, pitch);
      luma(COEFFICIENTS + 2 * BLOCK_BYTES, y + (pitch << 2), pitch);
      const blue = load<usize>(PLANES + 4) + at, red = load<usize>(PLANES + 8) + at;
      chroma(COEFFICIENTS + 4 * BLOCK_BYTES, 1, blue, pitch, load<u32>(ENDS + 16));
      chroma(COEFFICIENTS + 5 * BLOCK_BYTES, 2, red, pitch, load<u32>(ENDS + 20));
    } else if (!lumaBlocks) continue;
    // MCUs are eight samples wide and high in a plane, and two records.
    const across: usize = decodes ? 8 : 2 * RECORD_BYTES,
      rows: usize = decodes ? 8 : 2;
    at += across;
    if (++column === width) {
      column = 0;
      at += rows * pitch - <usize> width * across;
    }
  }
  return <i32> ((start - next) << 3) - <i32> count;
}
