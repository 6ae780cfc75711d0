/**
 * Kernels that take a JPEG's luma out without decoding it: where each block's AC codes lie is found,
 * and they are copied as they are, in the order in which a grey JPEG has them. Only what depends on
 * the order is coded anew, a block's DC difference.
 *
 * @module
 */
import type { FunctionBuilder, Local, ModuleBuilder } from "./assembler.ts";
import {
  BitReader,
  BOTH_LENGTHS,
  LENGTH,
  readCode,
  REFILLED,
  SECOND_STEP,
  STEP,
} from "./entropy.ts";
import { BLOCKS, DC_BITS, DC_CODES, LOOKUP_BITS } from "./layout.ts";
import { type I32, type I64, V128 } from "./values.ts";

/** What is noted of a block: its DC value, where its AC codes begin and how long they are, bits. */
export const RECORD_BYTES = 16;
const DC = 0, POSITION = 4, BITS = 8;
/** So many bits can be taken from anywhere and written at once. */
const MOST_BITS = 56;
const REVERSED = [15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0];

/**
 * `note(start, end, units, width, records, pitch)` reads so many units of 4:2:0 and notes the blocks of
 * luma, `pitch` bytes for a row of blocks. It returns how many bits it read, or −1 for what is no
 * JPEG.
 *
 * @param width units in a row
 */
function addNote(module: ModuleBuilder): void {
  const parameters = ["start", "end", "units", "width", "records", "pitch"] as const;
  module.add("note", parameters, true, (f, start, end, units, width, records, pitch) => {
    const reader = new BitReader(f, start);
    const column = f.i32(0);
    const lookup = (table: I32, bits: number) =>
      table.add(reader.bits.shrU(64 - bits).wrap().shl(3));
    f.repeat(() => {
      const block = f.i32(BLOCKS);
      // Of the unit's blocks of luma two lie side by side, two below them.
      const record = f.i32(records);
      f.repeat(() => {
        const ac = f.i32(block.load(4));
        const prediction = f.i32(block.load(8));
        reader.refill();
        const entry = f.i32(lookup(block.load(0), DC_BITS));
        const { value } = readCode(f, reader, block.load(0), entry, DC_BITS);
        f.set(value, value.add(prediction.load()));
        f.store(prediction, value);
        const from = f.i32(reader.position(start));
        skipAc(f, reader, lookup, ac);
        f.if(block.ltU(BLOCKS + 16 * 4), () => {
          f.store(record, value, DC);
          f.store(record, from, POSITION);
          f.store(record, reader.position(start).sub(from), BITS);
          f.set(record, record.add(RECORD_BYTES));
          f.if(block.eq(BLOCKS + 16), () => f.set(record, records.add(pitch)));
        });
        f.set(block, block.add(16));
        return block.ltU(BLOCKS + 16 * 6);
      });
      f.if(reader.next.ltS(end), () => f.return(-1));
      f.set(records, records.add(2 * RECORD_BYTES));
      f.set(column, column.add(1));
      f.if(column.eq(width), () => {
        f.set(column, 0);
        f.set(records, records.add(pitch.shl(1)).sub(width.mul(2 * RECORD_BYTES)));
      });
      f.set(units, units.sub(1));
      return units.ne(0);
    });
    f.return(reader.position(start));
  });
}

/** Reads a block's AC codes for nothing but their length; leaves the function with −1 if they are none. */
function skipAc(
  f: FunctionBuilder,
  reader: BitReader,
  lookup: (table: I32, bits: number) => I32,
  ac: I32,
): void {
  const k = f.i32(1), first = f.i32(0), entry = f.i32(0);
  const length = f.i64(0);
  f.block((done) => {
    f.loop((again) => {
      f.block((slow) => {
        reader.refill();
        for (let i = 0; i < Math.floor(REFILLED / LOOKUP_BITS); i++) {
          f.set(entry, lookup(ac, LOOKUP_BITS));
          f.set(length, entry.load8as64(BOTH_LENGTHS));
          f.branchIf(length.isZero(), slow);
          f.set(first, k.add(entry.load8U(STEP)));
          f.set(k, first.add(entry.load8U(SECOND_STEP)));
          reader.skip(length);
          f.branchIf(k.geU(64), done);
        }
        f.branch(again);
      });
      reader.refill();
      const { symbol } = readCode(f, reader, ac, entry, LOOKUP_BITS);
      f.set(k, k.add(symbol.shrU(4)).add(1));
      f.if(symbol.eq(0), () => f.set(k, k.add(127)));
      f.branchIf(k.ltU(64), again);
      f.set(first, k);
    });
  });
  // What followed the block's last coefficient belongs to the next one.
  f.if(first.eq(64).and(k.ne(64)), () => {
    reader.giveBack(entry.load8U(BOTH_LENGTHS).sub(entry.load8U(LENGTH)));
    f.set(k, 64);
  });
  f.if(k.sub(65).ltU(64).or(k.gtU(191)), () => f.return(-1));
}

/** Writes codes downwards from `to`, as `unstuff` leaves them. */
class BitWriter {
  readonly #f: FunctionBuilder;
  readonly #to: Local<"i32">;
  readonly #bits;
  readonly #count;

  constructor(f: FunctionBuilder, to: Local<"i32">) {
    this.#f = f;
    this.#to = to;
    this.#bits = f.i64(0);
    this.#count = f.i64(0);
  }

  /**
   * @param bits the highest ones are written, all others are 0.
   * @param length 56 at most.
   */
  write(bits: I64, length: I64): void {
    const f = this.#f;
    f.set(this.#bits, this.#bits.or(bits.shrU(this.#count)));
    f.set(this.#count, this.#count.add(length));
    f.store64(this.#to.sub(8), this.#bits);
    f.set(this.#to, this.#to.sub(this.#count.shrU(3).wrap()));
    f.set(this.#bits, this.#bits.shl(this.#count.and(-8)));
    f.set(this.#count, this.#count.and(7));
  }

  /** Fills the last byte up with ones. */
  finish(): void {
    const f = this.#f;
    f.if(this.#count.isZero().not(), () => {
      const ones = f.i64(-1), shift = f.i64(56), length = f.i64(8);
      this.write(ones.shl(shift.add(this.#count)), length.sub(this.#count));
    });
  }
}

/**
 * `gather(codes, record, across, down, pitch, to)` writes the codes of noted blocks, row by row, downwards
 * from `to`. It returns where they end, or 0 when a difference has no code.
 *
 * @param codes behind the codes from which the blocks were noted
 * @param across blocks in a row
 */
function addGather(module: ModuleBuilder): void {
  const parameters = ["codes", "record", "across", "down", "pitch", "to"] as const;
  module.add("gather", parameters, true, (f, codes, record, across, down, pitch, to) => {
    const writer = new BitWriter(f, to);
    const before = f.i32(0);
    f.repeat(() => {
      const left = f.i32(across);
      const at = f.i32(record);
      f.repeat(() => {
        const value = f.i32(at.load(DC));
        const difference = f.i32(value.sub(before));
        f.set(before, value);
        const sign = f.i32(difference.shrS(31));
        const size = f.i32(32);
        f.set(size, size.sub(difference.xor(sign).sub(sign).clz()));
        f.if(size.gtU(11), () => f.return(0));
        const code = f.i32(size.shl(3));
        const length = f.i32(code.load(DC_CODES + 4).add(size));
        // A difference below zero is written less one, in as many bits as it takes without its sign.
        const mask = f.i32(1);
        f.set(mask, mask.shl(size).sub(1));
        const bits = code.load(DC_CODES).shl(size).or(difference.add(sign).and(mask));
        const shift = f.i64(64);
        writer.write(bits.extendU().shl(shift.sub(length.extendU())), length.extendU());

        const position = f.i32(at.load(POSITION));
        const rest = f.i32(at.load(BITS));
        f.repeat(() => {
          const count = f.i32(rest);
          f.if(count.gtU(MOST_BITS), () => f.set(count, MOST_BITS));
          const unused = f.i64(64);
          f.set(unused, unused.sub(count.extendU()));
          const taken = codes.sub(8).sub(position.shrU(3)).load64()
            .shl(position.and(7).extendU()).shrU(unused).shl(unused);
          writer.write(taken, count.extendU());
          f.set(position, position.add(count));
          f.set(rest, rest.sub(count));
          return rest;
        });
        f.set(at, at.add(RECORD_BYTES));
        f.set(left, left.sub(1));
        return left;
      });
      f.set(record, record.add(pitch));
      f.set(down, down.sub(1));
      return down;
    });
    writer.finish();
    f.return(to);
  });
}

/**
 * `stuff(from, end, to)` copies codes that lie downwards from `from` to `end`, with a zero after each 255,
 * and returns where the copy ends.
 */
function addStuff(module: ModuleBuilder): void {
  module.add("stuff", ["from", "end", "to"], true, (f, from, end, to) => {
    const bytes = f.v128(from.sub(16).loadV());
    const found = f.i32(0), count = f.i32(0);
    f.loop((again) => {
      f.set(bytes, from.sub(16).loadV());
      f.set(bytes, bytes.shuffle(bytes, REVERSED));
      f.storeV(to, bytes);
      f.set(found, bytes.eq8(V128.bytes(new Array(16).fill(0xff))).bitmask8());
      f.set(count, found.or(1 << 16).ctz());
      f.if(from.sub(end).gtU(count).not(), () => f.return(to.add(from.sub(end))));
      f.if(count.eq(16), () => {
        f.set(from, from.sub(16));
        f.set(to, to.add(16));
        f.branch(again);
      });
      f.store8(to.add(count), 0, 1);
      f.set(from, from.sub(count).sub(1));
      f.set(to, to.add(count).add(2));
      f.branch(again);
    });
  });
}

/** Adds what taking luma out needs, beside `unstuff`. */
export function addLuma(module: ModuleBuilder): void {
  addNote(module);
  addGather(module);
  addStuff(module);
}
