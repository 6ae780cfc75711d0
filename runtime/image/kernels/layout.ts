// Where things lie in the memory of the kernels, bytes. The kernels and what calls them share it.

/** For each coefficient in zigzag order, and for what is beyond the last: its place in its block. */
export const ZIGZAG = 0;
/** The blocks of a minimum coded unit, 16 bytes each: DC table, AC table, prediction, coefficients. */
export const BLOCKS = 256;
/** Most blocks of a minimum coded unit. */
export const MAX_BLOCKS = 10;
/** For each component the DC value of the block before. */
export const PREDICTIONS = 416;
/** For each component its plane of samples. */
export const PLANES = 432;
/** Bytes that `unstuff` wrote. */
export const UNSTUFFED = 448;
/** For each block where it ended: 129 when it has nothing but DC. */
export const ENDS = 464;
/** For each component its quantization table: 64 factors of 16 bits, row by row. */
export const QUANTIZERS = 512;
/** Six vectors of floats: see `pixels.as.ts`. */
export const FLOATS = 896;
/** Coefficients of six blocks, 16 bits each; a block has room for discarded ones. */
export const COEFFICIENTS = 1024;
export const BLOCK_BYTES = 144;
/** For each size of a DC difference its code and the code's length, 32 bits each. */
export const DC_CODES = 1888;
/** Huffman tables. */
export const TABLES = 2048;
export const TABLE_SLOTS = 8;

/** Bits that are looked up at once: of AC codes with their values, often two; of DC a code alone. */
export const LOOKUP_BITS = 10;
export const DC_BITS = 8;
/** Parts of a Huffman table: see `huffman.ts`. */
export const LIMITS = 8192;
export const DELTAS = LIMITS + 4 * 18;
export const SYMBOLS = DELTAS + 4 * 18;
export const TABLE_BYTES = SYMBOLS + 256;
/** Parts of an entry of the look-up. */
export const BOTH_LENGTHS = 0, STEP = 1, VALUE = 2, LENGTH = 4, SECOND_STEP = 5, SECOND_VALUE = 6;

/** What is found of a block of luma: its DC value, where its AC codes begin, and their length, bits. */
export const RECORD_BYTES = 16;
export const RECORD_POSITION = 4, RECORD_BITS = 8;

/** What depends on the picture begins here. */
export const HEAP = 131_072;
