/**
 * Kernels for the inverse transform, with libjpeg's values: what it does in its accurate ways, in the
 * order of its own vectors, so that not a bit differs.
 *
 * @module
 */
import type { FunctionBuilder, Local, ModuleBuilder } from "./assembler.ts";
import { type I32, V128 } from "./values.ts";
import { BLOCK_BYTES, QUANTIZERS } from "./layout.ts";

/** Numbers of the functions, for who calls them. */
export interface Transforms {
  readonly luma: number;
  readonly chroma: number;
}

/** Fractions of 8192, which both transforms are made of. */
const F = {
  "0.211": 1730,
  "0.298": 2446,
  "0.390": 3196,
  "0.509": 4176,
  "0.541": 4433,
  "0.601": 4926,
  "0.765": 6270,
  "0.899": 7373,
  "1.061": 8697,
  "1.175": 9633,
  "1.451": 11_893,
  "1.501": 12_299,
  "1.847": 15_137,
  "1.961": 16_069,
  "2.053": 16_819,
  "2.172": 17_799,
  "2.562": 20_995,
  "3.072": 25_172,
} as const;

type Vectors = readonly V128[];
type Four = [V128, V128, V128, V128];

/** Both halves of a vector of 16 bits, as they are worked on at 32 bits. */
const HALVES = [0, 1] as const;

function unpack(a: V128, b: V128, half: 0 | 1): V128 {
  return half === 0 ? a.unpackLow16(b) : a.unpackHigh16(b);
}

/** Eight vectors of eight, rows to columns. */
function transpose(f: FunctionBuilder, rows: Vectors): V128[] {
  const keep = (value: V128) => f.v128(value);
  const pairs = [0, 2, 4, 6].map((i) => [rows[i]!, rows[i + 1]!] as const);
  const [a, b, c, d] = pairs.map(([x, y]) => [
    keep(x.unpackLow16(y)),
    keep(x.unpackHigh16(y)),
  ]) as unknown as [V128[], V128[], V128[], V128[]];
  return [0, 1].flatMap((half) => {
    const low = keep(a[half]!.unpackLow32(b[half]!)), high = keep(a[half]!.unpackHigh32(b[half]!));
    const low2 = keep(c[half]!.unpackLow32(d[half]!));
    const high2 = keep(c[half]!.unpackHigh32(d[half]!));
    return [
      keep(low.unpackLow64(low2)),
      keep(low.unpackHigh64(low2)),
      keep(high.unpackLow64(high2)),
      keep(high.unpackHigh64(high2)),
    ];
  });
}

/** One way of the transform from 8 to 4. Of `c` the fifth is not looked at. */
function fourOf(f: FunctionBuilder, c: Vectors, shift: number): V128[] {
  const rounding = f.v128(V128.longs(1 << (shift - 1)));
  const halves = HALVES.map((half) => {
    const first = half === 0 ? c[0]!.low16S() : c[0]!.high16S();
    const even = f.v128(first.shl32(14).add32(rounding));
    const even2 = f.v128(
      unpack(c[2]!, c[6]!, half).dot(V128.words(F["1.847"], -F["0.765"])),
    );
    const outer = f.v128(even.add32(even2)), inner = f.v128(even.sub32(even2));
    const near = f.v128(unpack(c[1]!, c[3]!, half));
    const far = f.v128(unpack(c[5]!, c[7]!, half));
    const odd = f.v128(
      near.dot(V128.words(F["1.061"], -F["2.172"]))
        .add32(far.dot(V128.words(F["1.451"], -F["0.211"]))),
    );
    const odd2 = f.v128(
      near.dot(V128.words(F["2.562"], F["0.899"]))
        .add32(far.dot(V128.words(-F["0.601"], -F["0.509"]))),
    );
    return [outer.add32(odd2), inner.add32(odd), inner.sub32(odd), outer.sub32(odd2)]
      .map((sum) => f.v128(sum.shrS32(shift)));
  });
  return halves[0]!.map((low, i) => f.v128(low.narrow32S(halves[1]![i]!)));
}

/** One way of the transform of 8. */
function eightOf(f: FunctionBuilder, c: Vectors, shift: number): V128[] {
  const rounding = f.v128(V128.longs(1 << (shift - 1)));
  const z3 = f.v128(c[7]!.add16(c[3]!)), z4 = f.v128(c[5]!.add16(c[1]!));
  const sum = f.v128(c[0]!.add16(c[4]!)), difference = f.v128(c[0]!.sub16(c[4]!));
  const halves = HALVES.map((half) => {
    const wide = (vector: V128) => half === 0 ? vector.low16S() : vector.high16S();
    const dot = (pair: V128, a: number, b: number) => pair.dot(V128.words(a, b));
    const even = f.v128(unpack(c[2]!, c[6]!, half));
    const tmp3 = f.v128(dot(even, F["0.541"] + F["0.765"], F["0.541"]));
    const tmp2 = f.v128(dot(even, F["0.541"], F["0.541"] - F["1.847"]));
    const tmp0 = f.v128(wide(sum).shl32(13).add32(rounding));
    const tmp1 = f.v128(wide(difference).shl32(13).add32(rounding));
    const evens = [
      tmp0.add32(tmp3),
      tmp1.add32(tmp2),
      tmp1.sub32(tmp2),
      tmp0.sub32(tmp3),
    ].map((value) => f.v128(value));
    const z = f.v128(unpack(z3, z4, half));
    const za = f.v128(dot(z, F["1.175"] - F["1.961"], F["1.175"]));
    const zb = f.v128(dot(z, F["1.175"], F["1.175"] - F["0.390"]));
    const p = f.v128(unpack(c[7]!, c[1]!, half)), q = f.v128(unpack(c[5]!, c[3]!, half));
    const odds = [
      dot(p, -F["0.899"], F["1.501"] - F["0.899"]).add32(zb),
      dot(q, -F["2.562"], F["3.072"] - F["2.562"]).add32(za),
      dot(q, F["2.053"] - F["2.562"], -F["2.562"]).add32(zb),
      dot(p, F["0.298"] - F["0.899"], -F["0.899"]).add32(za),
    ].map((value) => f.v128(value));
    return [0, 1, 2, 3, 3, 2, 1, 0].map((i, place) => {
      const both = place < 4 ? evens[i]!.add32(odds[i]!) : evens[i]!.sub32(odds[i]!);
      return f.v128(both.shrS32(shift));
    });
  });
  return halves[0]!.map((low, i) => f.v128(low.narrow32S(halves[1]![i]!)));
}

/** One way of the transform of 8 where all but the first four are 0, of the given halves. */
function eightOfFour(
  f: FunctionBuilder,
  [c0, c1, c2, c3]: Readonly<Four>,
  shift: number,
  halves: readonly (0 | 1)[],
): V128[] {
  const rounding = f.v128(V128.longs(1 << (shift - 1)));
  const zero = V128.words(0);
  const [low, high] = halves.map((half) => {
    const dot = (pair: V128, a: number, b: number) => f.v128(pair.dot(V128.words(a, b)));
    const first = half === 0 ? c0.low16S() : c0.high16S();
    const even = f.v128(first.shl32(13).add32(rounding));
    const second = f.v128(unpack(c2, zero, half));
    const tmp3 = dot(second, F["0.541"] + F["0.765"], 0), tmp2 = dot(second, F["0.541"], 0);
    const evens = [even.add32(tmp3), even.add32(tmp2), even.sub32(tmp2), even.sub32(tmp3)]
      .map((value) => f.v128(value));
    const odd = f.v128(unpack(c3, c1, half));
    const threes = F["1.175"] - F["1.961"], ones = F["1.175"] - F["0.390"];
    const odds = [
      dot(odd, F["1.175"], ones + F["1.501"] - F["0.899"]),
      dot(odd, threes + F["3.072"] - F["2.562"], F["1.175"]),
      dot(odd, F["1.175"] - F["2.562"], ones),
      dot(odd, threes, F["1.175"] - F["0.899"]),
    ];
    return [0, 1, 2, 3, 3, 2, 1, 0].map((i, place) => {
      const both = place < 4 ? evens[i]!.add32(odds[i]!) : evens[i]!.sub32(odds[i]!);
      return f.v128(both.shrS32(shift));
    });
  });
  return low!.map((value, i) => f.v128(value.narrow32S(high?.[i] ?? value)));
}

/** The lower halves of eight vectors, rows to four columns. */
function transposeHalf(f: FunctionBuilder, rows: Vectors): Four {
  const pairs = [0, 2, 4, 6].map((i) => f.v128(rows[i]!.unpackLow16(rows[i + 1]!)));
  const [a, b, c, d] = pairs as V128[] as Four;
  const [low, high] = [f.v128(a.unpackLow32(b)), f.v128(a.unpackHigh32(b))];
  const [low2, high2] = [f.v128(c.unpackLow32(d)), f.v128(c.unpackHigh32(d))];
  return [
    f.v128(low.unpackLow64(low2)),
    f.v128(low.unpackHigh64(low2)),
    f.v128(high.unpackLow64(high2)),
    f.v128(high.unpackHigh64(high2)),
  ];
}

/** A block's rows, each factor applied. */
function dequantized(
  f: FunctionBuilder,
  rows: readonly number[],
  coefficients: I32,
  at: number,
  factors: I32,
): V128[] {
  const result: V128[] = [];
  for (const row of rows) {
    const values = coefficients.loadV(at + 16 * row);
    result[row] = f.v128(values.mul16(factors.loadV(QUANTIZERS + 16 * row)));
  }
  return result;
}

/** Writes eight columns of eight samples as rows. */
function storeColumns(
  f: FunctionBuilder,
  columns: Vectors,
  to: Local<"i32">,
  stride: I32,
): void {
  const turns = [0, 8, 1, 9, 2, 10, 3, 11, 4, 12, 5, 13, 6, 14, 7, 15];
  const pairs = [0, 2, 4, 6].map((i) => {
    const bytes = f.v128(columns[i]!.narrow16S(columns[i + 1]!));
    return f.v128(bytes.shuffle(bytes, turns));
  });
  const [p, q, r, s] = pairs as V128[] as Four;
  for (const high of [false, true]) {
    const left = f.v128(high ? p.unpackHigh16(q) : p.unpackLow16(q));
    const right = f.v128(high ? r.unpackHigh16(s) : r.unpackLow16(s));
    for (const samples of [left.unpackLow32(right), left.unpackHigh32(right)]) {
      const two = f.v128(samples);
      f.storeHalf(to, two, 0);
      f.set(to, to.add(stride));
      f.storeHalf(to, two, 1);
      f.set(to, to.add(stride));
    }
  }
}

/**
 * Adds `luma(coefficients, to, stride)`, two blocks side by side to four rows of eight samples each,
 * and `chroma(coefficients, component, to, stride, end)`, one block to eight rows of eight, less 128.
 */
export function addTransforms(module: ModuleBuilder): Transforms {
  const luma = module.add(
    "luma",
    ["coefficients", "to", "stride"],
    false,
    (f, from, to, stride) => {
      const factors = f.i32(0);
      const rows = [0, BLOCK_BYTES].flatMap((at) =>
        fourOf(f, dequantized(f, [0, 1, 2, 3, 5, 6, 7], from, at, factors), 12)
      );
      const [a, b, c, d] = fourOf(f, transpose(f, rows), 19) as Four;
      const left = f.v128(a.narrow16S(b)), right = f.v128(c.narrow16S(d));
      for (const row of [0, 2]) {
        const bytes = [row, row + 1].flatMap((r) =>
          [0, 4].flatMap((block) => [0, 8, 16, 24].map((column) => column + block + r))
        );
        const samples = f.v128(left.shuffle(right, bytes).xor(V128.words(0x8080)));
        f.storeHalf(to, samples, 0);
        f.set(to, to.add(stride));
        f.storeHalf(to, samples, 1);
        f.set(to, to.add(stride));
      }
    },
  );
  const names = ["coefficients", "component", "to", "stride", "end"] as const;
  const chroma = module.add("chroma", names, false, (f, from, component, to, stride, end) => {
    const factors = f.i32(component.shl(7));
    f.block((whole) => {
      f.branchIf(end.ne(129), whole);
      // A flat block.
      const value = from.loadV().mul16(factors.loadV(QUANTIZERS)).shl16(2);
      const dc = f.v128(value.addSaturated16(V128.words(16)).shrS16(5));
      const samples = f.v128(
        dc.narrow16S(dc).shuffle(dc, new Array(16).fill(0)),
      );
      for (let row = 0; row < 8; row++) {
        f.storeHalf(to, samples, 0);
        f.set(to, to.add(stride));
      }
      f.leave();
    });
    f.block((whole) => {
      f.branchIf(end.sub(129).geU(10), whole);
      // Ten coefficients lie in the first four rows and columns.
      const few = dequantized(f, [0, 1, 2, 3], from, 0, factors) as Four;
      const columns = transposeHalf(f, eightOfFour(f, few, 11, [0]));
      storeColumns(f, eightOfFour(f, columns, 18, HALVES), to, stride);
      f.leave();
    });
    const rows = eightOf(f, dequantized(f, [0, 1, 2, 3, 4, 5, 6, 7], from, 0, factors), 11);
    const columns = eightOf(f, transpose(f, rows), 18);
    storeColumns(f, columns, to, stride);
  });
  return { luma, chroma };
}
