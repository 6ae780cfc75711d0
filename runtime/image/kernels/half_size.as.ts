// @ts-nocheck: AssemblyScript
/**
 * Baseline JPEG of 4:2:0 to planes at half its size. Most of the work is reading Huffman codes: one
 * look-up gives a whole coefficient (the zeros before it, its value, the bits it took), often two;
 * what does not fit into a look-up takes a slower way.
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
  SECOND_STEP,
  SECOND_VALUE,
  STEP,
  VALUE,
  ZIGZAG,
} from "./layout.ts";

/**
 * Decodes minimum coded units (MCUs: four blocks of luma, two of chroma) to eight samples each way in
 * every plane. Reads up to 1300 bytes below `end`. The planes have room for the MCUs up to the last.
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
  const zero = i16x8.splat(0);
  const blocksEnd: usize = BLOCKS + 16 * 6;
  let next = start, bits: u64 = 0, count: u64 = 0;
  let column = from % width;
  let at: usize = (<usize> (from / width) * stride + <usize> column) << 3;
  for (; mcus; mcus--) {
    let ended: usize = ENDS;
    for (let block: usize = BLOCKS; block < blocksEnd; block += 16, ended += 4) {
      const dc = load<usize>(block), ac = load<usize>(block, 4), prediction = load<usize>(block, 8);
      const coefficients = load<usize>(block, 12);
      v128.store(coefficients, zero);
      v128.store(coefficients, zero, 16);
      v128.store(coefficients, zero, 32);
      v128.store(coefficients, zero, 48);
      v128.store(coefficients, zero, 64);
      v128.store(coefficients, zero, 80);
      v128.store(coefficients, zero, 96);
      v128.store(coefficients, zero, 112);
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
      store<i16>(coefficients, <i16> value);

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
            store<i16>(coefficients + load<u8>(k, ZIGZAG), <i16> value);
            first = k;
            break;
          }
          first = k + load<u8>(entry, STEP);
          store<i16>(coefficients + load<u8>(first, ZIGZAG), load<i16>(entry, VALUE));
          k = first + load<u8>(entry, SECOND_STEP);
          store<i16>(coefficients + load<u8>(k, ZIGZAG), load<i16>(entry, SECOND_VALUE));
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
      store<u32>(ended, k);
    }
    if (<isize> next < <isize> end) return -1;
    const y = load<usize>(PLANES) + at;
    luma(COEFFICIENTS, y, stride);
    luma(COEFFICIENTS + 2 * BLOCK_BYTES, y + (stride << 2), stride);
    const blue = load<usize>(PLANES + 4) + at, red = load<usize>(PLANES + 8) + at;
    chroma(COEFFICIENTS + 4 * BLOCK_BYTES, 1, blue, stride, load<u32>(ENDS + 16));
    chroma(COEFFICIENTS + 5 * BLOCK_BYTES, 2, red, stride, load<u32>(ENDS + 20));
    at += 8;
    if (++column === width) {
      column = 0;
      at += (stride - <usize> width) << 3;
    }
  }
  return <i32> ((start - next) << 3) - <i32> count;
}
