/**
 * Kernels that read a JPEG's Huffman codes. Most of decoding is this. One look-up gives a whole
 * coefficient (the zeros before it, its value, how many bits it took); what does not fit into a
 * look-up takes a slower way.
 *
 * @module
 */
import { type FunctionBuilder, type I32, type ModuleBuilder, V128 } from "./assembler.ts";
import {
  BLOCK_BYTES,
  BLOCKS,
  COEFFICIENTS,
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
/** After a refill there are at least so many bits. */
const REFILLED = 56;

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
class BitReader {
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

/** Reads a code whatever its length, and the value behind it, whose size its lowest four bits tell. */
function readSlowly(f: FunctionBuilder, reader: BitReader, table: I32) {
  reader.refill();
  const peeked = f.i32(reader.bits.shrU(48).wrap());
  const length = f.i32(0);
  f.repeat(() => {
    f.set(length, length.add(1));
    return peeked.geU(table.add(length.shl(2)).load(LIMITS));
  });
  f.if(length.gtU(16), () => f.return(-1));
  const index = table.add(length.shl(2)).load(DELTAS).add(peeked.shrU(f.i32(16).sub(length)));
  const symbol = f.i32(table.add(index).load8U(SYMBOLS));
  reader.skip(length.extendU());
  const size = f.i64(symbol.and(15).extendU());
  const value = f.i64(0);
  f.if(size.isZero().not(), () => {
    const below = f.i64(-1);
    f.set(below, below.shl(size).add(1));
    // A value whose highest bit is 0 lies below zero.
    f.set(below, below.and(reader.bits.shrS(63).xor(-1)));
    const shift = f.i64(64);
    f.set(value, reader.bits.shrU(shift.sub(size)).add(below));
    reader.skip(size);
  });
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
    const lookup = (table: I32) =>
      table.add(reader.bits.shrU(64 - LOOKUP_BITS).wrap().shl(3)).load64();
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
        const entry = f.i64(lookup(dc));
        const value = f.i64(entry.shl(32).shrS(48));
        f.block((known) => {
          f.branchIf(entry.isZero().not(), known);
          f.set(value, readSlowly(f, reader, dc).value);
        });
        reader.skip(entry.shrU(32));
        f.set(value, value.add(prediction.load().extendU()));
        f.store(prediction, value.wrap());
        f.store16(coefficients, value);

        const k = f.i32(1);
        f.block((done) => {
          f.loop((again) => {
            reader.refill();
            const unrolled = Math.floor(REFILLED / LOOKUP_BITS);
            for (let i = 1; i <= unrolled; i++) {
              f.set(entry, lookup(ac));
              f.if(entry.isZero(), () => {
                const { symbol, value } = readSlowly(f, reader, ac);
                f.set(k, k.add(symbol.shrU(4)).add(1));
                // Nothing but zeros: to the end of the block, or sixteen of them.
                f.if(symbol.eq(0), () => f.set(k, k.add(127)));
                f.store16(coefficients.add(k.load8U(ZIGZAG)), value);
                f.branchIf(k.ltU(64), again);
                f.branch(done);
              });
              f.set(k, k.add(entry.shrU(8).and(255).wrap()));
              f.store16(coefficients.add(k.load8U(ZIGZAG)), entry.shrU(16));
              // What follows a block's last coefficient belongs to the next one.
              f.if(k.geU(64), () => {
                reader.skip(entry.shrU(32));
                f.branch(done);
              });
              reader.skip(entry);
              f.set(k, k.add(entry.shrU(40).and(255).wrap()));
              f.store16(coefficients.add(k.load8U(ZIGZAG)), entry.shrU(48));
              if (i < unrolled) f.branchIf(k.geU(64), done);
            }
            f.branchIf(k.ltU(64), again);
          });
        });
        // Zeros beyond the block's end: libjpeg shall say what it makes of them.
        f.if(k.sub(65).ltU(64), () => f.return(-1));
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
    f.return(start.sub(reader.next).shl(3).sub(reader.count));
  });
}
