/**
 * Kernels that read a JPEG's Huffman codes. Most of decoding is this. One look-up gives a whole
 * coefficient (the zeros before it, its value, how many bits it took); what does not fit into a
 * look-up takes a slower way.
 *
 * @module
 */
import type { FunctionBuilder, ModuleBuilder } from "./assembler.ts";
import { type I32, V128 } from "./values.ts";
import {
  BLOCK_BYTES,
  BLOCKS,
  COEFFICIENTS,
  DC_BITS,
  DELTAS,
  ENDS,
  LIMITS,
  LOOKUP_BITS,
  PLANES,
  SYMBOLS,
  UNSTUFFED,
  ZIGZAG,
} from "./layout.ts";
import type { Transforms } from "./transform.ts";

const REVERSED = [15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0];
/** Parts of an entry: see `huffman.ts`. */
export const BOTH_LENGTHS = 0, STEP = 1, LENGTH = 4, SECOND_STEP = 5;
const VALUE = 2, SECOND_VALUE = 6;
/** After a refill there are at least so many bits. */
export const REFILLED = 56;

/**
 * `unstuff(from, to)` copies codes up to the next marker without the zeros that follow 255, and
 * returns where the marker lies. The first byte comes last, just before `to`: eight bytes of it read
 * as a number are in order then.
 */
export function addUnstuff(module: ModuleBuilder): void {
  module.add("unstuff", ["from", "to"], true, (f, from, to) => {
    const start = f.i32(to);
    const bytes = f.v128(from.loadV());
    const found = f.i32(0);
    f.loop((again) => {
      f.set(bytes, from.loadV());
      f.storeV(to.sub(16), bytes.shuffle(bytes, REVERSED));
      f.set(found, bytes.eq8(V128.bytes(new Array(16).fill(0xff))).bitmask8());
      f.if(found.not(), () => {
        f.set(from, from.add(16));
        f.set(to, to.sub(16));
        f.branch(again);
      });
      f.set(found, found.ctz());
      f.set(from, from.add(found));
      f.set(to, to.sub(found));
      f.if(from.load8U(1).not(), () => {
        f.set(from, from.add(2));
        f.set(to, to.sub(1));
        f.store8(to, 0xff);
        f.branch(again);
      });
    });
    f.store(f.i32(UNSTUFFED), start.sub(to));
    f.return(from);
  });
}

/** Codes, and how far they have been read: the next bits are the highest of `bits`. */
export class BitReader {
  readonly #f: FunctionBuilder;
  readonly #next;
  readonly bits;
  readonly #count;

  constructor(f: FunctionBuilder, start: I32) {
    this.#f = f;
    this.#next = f.i32(start);
    this.bits = f.i64(0);
    this.#count = f.i64(0);
  }

  /** Where the next eight bytes lie that are to be taken in. */
  get next(): I32 {
    return this.#next;
  }

  /** Bits that were taken in and are unread. */
  get count(): I32 {
    return this.#count.wrap();
  }

  /** How many bits were read since the codes began at `start`. */
  position(start: I32): I32 {
    return start.sub(this.#next).shl(3).sub(this.count);
  }

  /** Takes the unread bits in again, and as many more that were read too soon. */
  giveBack(length: I32): void {
    this.#f.set(this.#count, this.#count.add(length.extendU()));
    const behind = this.#f.i64(this.#count.add(7).shrU(3));
    const missing = this.#f.i64(0);
    this.#f.set(missing, missing.sub(this.#count).and(7));
    this.#f.set(this.bits, this.#next.add(behind.wrap()).load64().shl(missing));
  }

  refill(): void {
    this.#f.set(this.bits, this.bits.or(this.#next.load64().shrU(this.#count)));
    const taken = this.#f.i64(63);
    this.#f.set(taken, taken.sub(this.#count).shrU(3));
    this.#f.set(this.#next, this.#next.sub(taken.wrap()));
    this.#f.set(this.#count, this.#count.or(REFILLED));
  }

  /** Only the lowest six bits of `length` count. */
  skip(length: Parameters<typeof this.bits.shl>[0]): void {
    this.#f.set(this.bits, this.bits.shl(length));
    this.#f.set(
      this.#count,
      this.#count.sub(typeof length === "number" ? length : length.and(63)),
    );
  }
}

/**
 * Reads a code and the value behind it, whose size its lowest four bits tell. There must be bits enough
 * for both.
 *
 * @param entry what was looked up: the code's length and symbol, or nothing where it is longer
 */
export function readCode(
  f: FunctionBuilder,
  reader: BitReader,
  table: I32,
  entry: I32,
  bits: number,
) {
  const length = f.i32(entry.load8U(STEP));
  const symbol = f.i32(entry.load8U(VALUE));
  f.if(length.not(), () => {
    const peeked = f.i32(reader.bits.shrU(48).wrap());
    f.set(length, bits);
    f.repeat(() => {
      f.set(length, length.add(1));
      return peeked.geU(table.add(length.shl(2)).load(LIMITS));
    });
    f.if(length.gtU(16), () => f.return(-1));
    const index = table.add(length.shl(2)).load(DELTAS).add(peeked.shrU(f.i32(16).sub(length)));
    f.set(symbol, table.add(index).load8U(SYMBOLS));
  });
  reader.skip(length.extendU());
  const size = f.i64(symbol.and(15).extendU());
  const below = f.i64(-1);
  f.set(below, below.shl(size).add(1));
  // A value whose highest bit is 0 lies below zero.
  f.set(below, below.and(reader.bits.shrS(63).xor(-1)));
  // In two steps, for a size of 0 leaves nothing.
  const shift = f.i64(63);
  const value = f.i32(reader.bits.shrU(1).shrU(shift.sub(size)).add(below).wrap());
  reader.skip(size);
  return { symbol, value };
}

/**
 * `scan(start, end, units, width, stride, from)` reads so many units of 4:2:0 (four blocks of luma, two
 * of chroma) and transforms them to half size, eight samples each way in every plane. It returns how
 * many bits it read, or −1 for what is no JPEG or is none that is worth the trouble.
 *
 * @param from number of the first unit; a row has `width` of them
 */
export function addScan(module: ModuleBuilder, { luma, chroma }: Transforms): void {
  const parameters = ["start", "end", "units", "width", "stride", "from"] as const;
  module.add("scan", parameters, true, (f, start, end, units, width, stride, from) => {
    const reader = new BitReader(f, start);
    const zero = f.v128(V128.words(0));
    const constant = f.i32(0);
    const column = f.i32(from.remU(width));
    const at = f.i32(from.divU(width).mul(stride).add(column).shl(3));
    const lookup = (table: I32, bits: number) =>
      table.add(reader.bits.shrU(64 - bits).wrap().shl(3));
    f.repeat(() => {
      const block = f.i32(BLOCKS);
      const ended = f.i32(ENDS);
      f.repeat(() => {
        const dc = f.i32(block.load(0));
        const ac = f.i32(block.load(4));
        const prediction = f.i32(block.load(8));
        const coefficients = f.i32(block.load(12));
        for (let row = 0; row < 8; row++) f.storeV(coefficients, zero, 16 * row);
        reader.refill();
        const entry = f.i32(lookup(dc, DC_BITS));
        const { value } = readCode(f, reader, dc, entry, DC_BITS);
        f.set(value, value.add(prediction.load()));
        f.store(prediction, value);
        f.store16(coefficients, value);

        const k = f.i32(1), first = f.i32(0);
        const length = f.i64(0);
        const place = (number: I32) => coefficients.add(number.load8U(ZIGZAG));
        f.block((done) => {
          f.loop((again) => {
            f.block((slow) => {
              reader.refill();
              for (let i = 0; i < Math.floor(REFILLED / LOOKUP_BITS); i++) {
                f.set(entry, lookup(ac, LOOKUP_BITS));
                f.set(length, entry.load8as64(BOTH_LENGTHS));
                f.branchIf(length.isZero(), slow);
                f.set(first, k.add(entry.load8U(STEP)));
                f.store16(place(first), entry.load16U(VALUE));
                f.set(k, first.add(entry.load8U(SECOND_STEP)));
                f.store16(place(k), entry.load16U(SECOND_VALUE));
                reader.skip(length);
                f.branchIf(k.geU(64), done);
              }
              f.branch(again);
            });
            reader.refill();
            const { symbol, value } = readCode(f, reader, ac, entry, LOOKUP_BITS);
            f.set(k, k.add(symbol.shrU(4)).add(1));
            // Nothing but zeros: to the end of the block, or sixteen of them.
            f.if(symbol.eq(0), () => f.set(k, k.add(127)));
            f.store16(place(k), value);
            f.branchIf(k.ltU(64), again);
            f.set(first, k);
          });
        });
        // What followed the block's last coefficient belongs to the next one.
        f.if(first.eq(64).and(k.ne(64)), () => {
          reader.giveBack(entry.load8U(BOTH_LENGTHS).sub(entry.load8U(LENGTH)));
          f.set(k, 64);
        });
        // Zeros beyond the block's end: libjpeg shall say what it makes of them.
        f.if(k.sub(65).ltU(64).or(k.gtU(191)), () => f.return(-1));
        f.store(ended, k);
        f.set(ended, ended.add(4));
        f.set(block, block.add(16));
        return block.ltU(BLOCKS + 16 * 6);
      });
      f.if(reader.next.ltS(end), () => f.return(-1));
      const plane = (component: number) => constant.load(PLANES + 4 * component).add(at);
      f.call(luma, COEFFICIENTS, plane(0), stride);
      f.call(luma, COEFFICIENTS + 2 * BLOCK_BYTES, plane(0).add(stride.shl(2)), stride);
      for (const component of [1, 2]) {
        f.call(
          chroma,
          COEFFICIENTS + (3 + component) * BLOCK_BYTES,
          component,
          plane(component),
          stride,
          constant.load(ENDS + 4 * (3 + component)),
        );
      }
      f.set(column, column.add(1));
      f.set(at, at.add(8));
      f.if(column.eq(width), () => {
        f.set(column, 0);
        f.set(at, at.add(stride.sub(width).shl(3)));
      });
      f.set(units, units.sub(1));
      return units.ne(0);
    });
    f.return(reader.position(start));
  });
}
