/**
 * Where things lie in the memory of the kernels, bytes.
 *
 * @module
 */

/** For each coefficient as it comes, and for what comes after the last: where it goes in its block. */
export const ZIGZAG = 0;
/** Six blocks of a unit, 16 bytes each: tables for DC and AC, last DC, coefficients. */
export const BLOCKS = 256;
/** For each component the DC value before. */
export const PREDICTIONS = 384;
/** For each component its samples. */
export const PLANES = 400;
/** Bytes that `unstuff` wrote. */
export const UNSTUFFED = 416;
/** For each block of the unit how it ended: 129 when it has nothing but DC. */
export const ENDS = 432;
/** For each component 64 factors of 16 bits, row by row. */
export const QUANTIZERS = 512;
/** Six vectors of floats: see `pixels.ts`. */
export const FLOATS = 896;
/** Coefficients of six blocks, 16 bits each; a block has room for what is thrown away. */
export const COEFFICIENTS = 1024;
export const BLOCK_BYTES = 144;
/** For each size of a DC difference its code and the code's length, 32 bits each: see `luma.ts`. */
export const DC_CODES = 1888;
/** Huffman tables. */
export const TABLES = 2048;
export const TABLE_SLOTS = 8;

/** So many bits are looked up at once: of AC with values, as often as not two; of DC a code alone. */
export const LOOKUP_BITS = 10;
export const DC_BITS = 8;
/** Parts of a Huffman table: see `huffman.ts`. */
export const LIMITS = 8 << LOOKUP_BITS;
export const DELTAS = LIMITS + 4 * 18;
export const SYMBOLS = DELTAS + 4 * 18;
export const TABLE_BYTES = SYMBOLS + 256;

/** What depends on the picture begins here. */
export const HEAP = Math.ceil((TABLES + TABLE_SLOTS * TABLE_BYTES) / 65_536) * 65_536;
