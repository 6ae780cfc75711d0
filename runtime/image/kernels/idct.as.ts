// @ts-nocheck: AssemblyScript
/**
 * The inverse DCT with libjpeg-turbo's values: its accurate integer ways, in the order of its vectors,
 * so that not a bit differs. Luma goes from 8x8 coefficients to 4x4 samples, chroma to 8x8.
 *
 * @module
 */
import { BLOCK_BYTES, QUANTIZERS } from "./layout.ts";

// Fractions of 8192, by their value in thousandths.
const F0211: i16 = 1730, F0298: i16 = 2446, F0390: i16 = 3196, F0509: i16 = 4176, F0541: i16 = 4433;
const F0601: i16 = 4926, F0765: i16 = 6270, F0899: i16 = 7373, F1061: i16 = 8697, F1175: i16 = 9633;
const F1451: i16 = 11_893, F1501: i16 = 12_299, F1847: i16 = 15_137, F1961: i16 = 16_069;
const F2053: i16 = 16_819, F2172: i16 = 17_799, F2562: i16 = 20_995, F3072: i16 = 25_172;

/** Takes turns between two vectors, 16, 32 or 64 bits each, of the lower or the upper halves. */
function low16(a: v128, b: v128): v128 {
  return v128.shuffle<i16>(a, b, 0, 8, 1, 9, 2, 10, 3, 11);
}
function high16(a: v128, b: v128): v128 {
  return v128.shuffle<i16>(a, b, 4, 12, 5, 13, 6, 14, 7, 15);
}
function low32(a: v128, b: v128): v128 {
  return v128.shuffle<i32>(a, b, 0, 4, 1, 5);
}
function high32(a: v128, b: v128): v128 {
  return v128.shuffle<i32>(a, b, 2, 6, 3, 7);
}
function low64(a: v128, b: v128): v128 {
  return v128.shuffle<i64>(a, b, 0, 2);
}
function high64(a: v128, b: v128): v128 {
  return v128.shuffle<i64>(a, b, 1, 3);
}

function add(a: v128, b: v128): v128 {
  return i32x4.add(a, b);
}
function sub(a: v128, b: v128): v128 {
  return i32x4.sub(a, b);
}
/** Of each pair of 16 bits `x` times the first and `y` times the second. */
function dot(pairs: v128, x: i16, y: i16): v128 {
  return i32x4.dot_i16x8_s(pairs, i16x8(x, y, x, y, x, y, x, y));
}
/** The lower or the upper four as 32 bits. */
function wideLow(a: v128): v128 {
  return i32x4.extend_low_i16x8_s(a);
}
function wideHigh(a: v128): v128 {
  return i32x4.extend_high_i16x8_s(a);
}
/** Sums or differences of both halves, scaled down, as 16 bits. */
function sums(low: v128, low2: v128, high: v128, high2: v128, shift: i32): v128 {
  return i16x8.narrow_i32x4_s(
    i32x4.shr_s(add(low, low2), shift),
    i32x4.shr_s(add(high, high2), shift),
  );
}
function differences(low: v128, low2: v128, high: v128, high2: v128, shift: i32): v128 {
  return i16x8.narrow_i32x4_s(
    i32x4.shr_s(sub(low, low2), shift),
    i32x4.shr_s(sub(high, high2), shift),
  );
}

/** One row of a block, each coefficient times its factor. */
function dequantized(coefficients: usize, factors: usize, row: usize): v128 {
  return i16x8.mul(
    v128.load(coefficients + (row << 4)),
    v128.load(factors + (row << 4), QUANTIZERS),
  );
}

/** The parts of 8 coefficients to 4 samples: the even ones' first and second, the odd ones' two. */
function four0(c0: v128, rounding: i32): v128 {
  return add(i32x4.shl(c0, 14), i32x4.splat(rounding));
}
function four2(c26: v128): v128 {
  return dot(c26, F1847, -F0765);
}
function fourOdd(c13: v128, c57: v128): v128 {
  return add(dot(c13, F1061, -F2172), dot(c57, F1451, -F0211));
}
function fourOuter(c13: v128, c57: v128): v128 {
  return add(dot(c13, F2562, F0899), dot(c57, -F0601, -F0509));
}

/** Two blocks side by side to four rows of eight samples. */
export function luma(blocks: usize, to: usize, stride: usize): void {
  let c0 = dequantized(blocks, 0, 0), c1 = dequantized(blocks, 0, 1);
  let c2 = dequantized(blocks, 0, 2), c3 = dequantized(blocks, 0, 3);
  let c5 = dequantized(blocks, 0, 5), c6 = dequantized(blocks, 0, 6);
  let c7 = dequantized(blocks, 0, 7);
  let f0 = c0, f1 = c0, f2 = c0, f3 = c0;
  // Rows of the first block, of the second, columns of both: the same sums, columns to another precision.
  for (let pass = 0, shift = 12;; pass++) {
    const rounding = 1 << (shift - 1);
    const even = four0(wideLow(c0), rounding), even2 = four2(low16(c2, c6));
    const evenHigh = four0(wideHigh(c0), rounding), evenHigh2 = four2(high16(c2, c6));
    const a = low16(c1, c3), b = low16(c5, c7), aHigh = high16(c1, c3), bHigh = high16(c5, c7);
    const odd = fourOdd(a, b), oddHigh = fourOdd(aHigh, bHigh);
    const outer = fourOuter(a, b), outerHigh = fourOuter(aHigh, bHigh);
    const plus = add(even, even2), plusHigh = add(evenHigh, evenHigh2);
    const minus = sub(even, even2), minusHigh = sub(evenHigh, evenHigh2);
    const r0 = sums(plus, outer, plusHigh, outerHigh, shift);
    const r1 = sums(minus, odd, minusHigh, oddHigh, shift);
    const r2 = differences(minus, odd, minusHigh, oddHigh, shift);
    const r3 = differences(plus, outer, plusHigh, outerHigh, shift);
    if (pass === 0) {
      f0 = r0, f1 = r1, f2 = r2, f3 = r3;
      const second = blocks + BLOCK_BYTES;
      c0 = dequantized(second, 0, 0), c1 = dequantized(second, 0, 1);
      c2 = dequantized(second, 0, 2), c3 = dequantized(second, 0, 3);
      c5 = dequantized(second, 0, 5), c6 = dequantized(second, 0, 6);
      c7 = dequantized(second, 0, 7);
      continue;
    }
    if (pass === 2) return storeFour(r0, r1, r2, r3, to, stride);

    // Rows of both blocks to columns. The fifth column is not needed.
    const a0 = low16(f0, f1), a1 = high16(f0, f1), b0 = low16(f2, f3), b1 = high16(f2, f3);
    const d0 = low16(r0, r1), d1 = high16(r0, r1), e0 = low16(r2, r3), e1 = high16(r2, r3);
    const ab0 = low32(a0, b0), ab1 = high32(a0, b0), de0 = low32(d0, e0), de1 = high32(d0, e0);
    const ab2 = low32(a1, b1), ab3 = high32(a1, b1), de2 = low32(d1, e1), de3 = high32(d1, e1);
    c0 = low64(ab0, de0), c1 = high64(ab0, de0), c2 = low64(ab1, de1), c3 = high64(ab1, de1);
    c5 = high64(ab2, de2), c6 = low64(ab3, de3), c7 = high64(ab3, de3);
    shift = 19;
  }
}

/** Writes four columns of both blocks as rows. */
function storeFour(c0: v128, c1: v128, c2: v128, c3: v128, to: usize, stride: usize): void {
  const left = i8x16.narrow_i16x8_s(c0, c1), right = i8x16.narrow_i16x8_s(c2, c3);
  const half = i8x16.splat(-128);
  const upper = v128.xor(
    v128.shuffle<u8>(left, right, 0, 8, 16, 24, 4, 12, 20, 28, 1, 9, 17, 25, 5, 13, 21, 29),
    half,
  );
  const lower = v128.xor(
    v128.shuffle<u8>(left, right, 2, 10, 18, 26, 6, 14, 22, 30, 3, 11, 19, 27, 7, 15, 23, 31),
    half,
  );
  to = storeRows(upper, to, stride);
  storeRows(lower, to, stride);
}

/** Stores both halves of a vector as two rows of eight samples. */
function storeRows(samples: v128, to: usize, stride: usize): usize {
  v128.store64_lane(to, samples, 0);
  to += stride;
  v128.store64_lane(to, samples, 1);
  return to + stride;
}

/** One block to eight rows of eight samples, less 128; `end` is where it ended. */
export function chroma(block: usize, component: usize, to: usize, stride: usize, end: u32): void {
  const factors = component << 7;
  if (end === 129) flat(block, factors, to, stride);
  else if (end - 129 < 10) corner(block, factors, to, stride);
  else whole(block, factors, to, stride);
}

/** A block of nothing but DC. */
function flat(block: usize, factors: usize, to: usize, stride: usize): void {
  const value = i16x8.shl(dequantized(block, factors, 0), 2);
  const dc = i16x8.shr_s(i16x8.add_sat_s(value, i16x8.splat(16)), 5);
  const bytes = i8x16.narrow_i16x8_s(dc, dc);
  const samples = v128.shuffle<u8>(bytes, bytes, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
  to = storeRows(samples, to, stride);
  to = storeRows(samples, to, stride);
  to = storeRows(samples, to, stride);
  storeRows(samples, to, stride);
}

/** Writes eight columns of eight samples as rows. */
function storeColumns(
  c0: v128,
  c1: v128,
  c2: v128,
  c3: v128,
  c4: v128,
  c5: v128,
  c6: v128,
  c7: v128,
  to: usize,
  stride: usize,
): void {
  const p = turns(c0, c1), q = turns(c2, c3), r = turns(c4, c5), s = turns(c6, c7);
  const left = low16(p, q), right = low16(r, s);
  to = storeRows(low32(left, right), to, stride);
  to = storeRows(high32(left, right), to, stride);
  const left2 = high16(p, q), right2 = high16(r, s);
  to = storeRows(low32(left2, right2), to, stride);
  storeRows(high32(left2, right2), to, stride);
}

/** Two columns as bytes that take turns. */
function turns(a: v128, b: v128): v128 {
  const bytes = i8x16.narrow_i16x8_s(a, b);
  return v128.shuffle<u8>(bytes, bytes, 0, 8, 1, 9, 2, 10, 3, 11, 4, 12, 5, 13, 6, 14, 7, 15);
}

/** The even ones of 8 coefficients. */
function eight0(c: v128, rounding: i32): v128 {
  return add(i32x4.shl(c, 13), i32x4.splat(rounding));
}
function eight3(c26: v128): v128 {
  return dot(c26, F0541 + F0765, F0541);
}
function eight2(c26: v128): v128 {
  return dot(c26, F0541, F0541 - F1847);
}
/** The odd ones: of `p` = 7 and 1, `q` = 5 and 3, and their sums `z`. */
function odd0(p: v128, z: v128): v128 {
  return add(dot(p, -F0899, F1501 - F0899), dot(z, F1175, F1175 - F0390));
}
function odd1(q: v128, z: v128): v128 {
  return add(dot(q, -F2562, F3072 - F2562), dot(z, F1175 - F1961, F1175));
}
function odd2(q: v128, z: v128): v128 {
  return add(dot(q, F2053 - F2562, -F2562), dot(z, F1175, F1175 - F0390));
}
function odd3(p: v128, z: v128): v128 {
  return add(dot(p, F0298 - F0899, -F0899), dot(z, F1175 - F1961, F1175));
}

/** A block of any coefficients. */
function whole(block: usize, factors: usize, to: usize, stride: usize): void {
  let c0 = dequantized(block, factors, 0), c1 = dequantized(block, factors, 1);
  let c2 = dequantized(block, factors, 2), c3 = dequantized(block, factors, 3);
  let c4 = dequantized(block, factors, 4), c5 = dequantized(block, factors, 5);
  let c6 = dequantized(block, factors, 6), c7 = dequantized(block, factors, 7);
  // Rows, then columns: the same sums, rounded to another precision.
  for (let shift = 11;; shift = 18) {
    const rounding = 1 << (shift - 1);
    const z3 = i16x8.add(c7, c3), z4 = i16x8.add(c5, c1);
    const sum = i16x8.add(c0, c4), difference = i16x8.sub(c0, c4);
    const even = low16(c2, c6), evenHigh = high16(c2, c6);
    const t0 = eight0(wideLow(sum), rounding), t0High = eight0(wideHigh(sum), rounding);
    const t1 = eight0(wideLow(difference), rounding),
      t1High = eight0(wideHigh(difference), rounding);
    const t2 = eight2(even),
      t2High = eight2(evenHigh),
      t3 = eight3(even),
      t3High = eight3(evenHigh);
    const z = low16(z3, z4), zHigh = high16(z3, z4);
    const p = low16(c7, c1), pHigh = high16(c7, c1), q = low16(c5, c3), qHigh = high16(c5, c3);
    let e = add(t0, t3), eHigh = add(t0High, t3High), o = odd0(p, z), oHigh = odd0(pHigh, zHigh);
    const r0 = sums(e, o, eHigh, oHigh, shift), r7 = differences(e, o, eHigh, oHigh, shift);
    e = add(t1, t2), eHigh = add(t1High, t2High), o = odd1(q, z), oHigh = odd1(qHigh, zHigh);
    const r1 = sums(e, o, eHigh, oHigh, shift), r6 = differences(e, o, eHigh, oHigh, shift);
    e = sub(t1, t2), eHigh = sub(t1High, t2High), o = odd2(q, z), oHigh = odd2(qHigh, zHigh);
    const r2 = sums(e, o, eHigh, oHigh, shift), r5 = differences(e, o, eHigh, oHigh, shift);
    e = sub(t0, t3), eHigh = sub(t0High, t3High), o = odd3(p, z), oHigh = odd3(pHigh, zHigh);
    const r3 = sums(e, o, eHigh, oHigh, shift), r4 = differences(e, o, eHigh, oHigh, shift);
    if (shift === 18) return storeColumns(r0, r1, r2, r3, r4, r5, r6, r7, to, stride);

    // Rows to columns.
    const a0 = low16(r0, r1), a1 = high16(r0, r1), b0 = low16(r2, r3), b1 = high16(r2, r3);
    const d0 = low16(r4, r5), d1 = high16(r4, r5), e0 = low16(r6, r7), e1 = high16(r6, r7);
    const ab0 = low32(a0, b0), ab1 = high32(a0, b0), de0 = low32(d0, e0), de1 = high32(d0, e0);
    const ab2 = low32(a1, b1), ab3 = high32(a1, b1), de2 = low32(d1, e1), de3 = high32(d1, e1);
    c0 = low64(ab0, de0), c1 = high64(ab0, de0), c2 = low64(ab1, de1), c3 = high64(ab1, de1);
    c4 = low64(ab2, de2), c5 = high64(ab2, de2), c6 = low64(ab3, de3), c7 = high64(ab3, de3);
  }
}

/** The parts of 4 coefficients to 8 samples; `c31` are the odd ones. */
function fewOdd0(c31: v128): v128 {
  return dot(c31, F1175, F1175 - F0390 + F1501 - F0899);
}
function fewOdd1(c31: v128): v128 {
  return dot(c31, F1175 - F1961 + F3072 - F2562, F1175);
}
function fewOdd2(c31: v128): v128 {
  return dot(c31, F1175 - F2562, F1175 - F0390);
}
function fewOdd3(c31: v128): v128 {
  return dot(c31, F1175 - F1961, F1175 - F0899);
}

/** A block whose ten coefficients lie in the first four rows and columns. */
function corner(block: usize, factors: usize, to: usize, stride: usize): void {
  const zero = i16x8.splat(0);
  let c0 = dequantized(block, factors, 0), c1 = dequantized(block, factors, 1);
  let c2 = dequantized(block, factors, 2), c3 = dequantized(block, factors, 3);
  let even = eight0(wideLow(c0), 1 << 10), second = low16(c2, zero), c31 = low16(c3, c1);
  let t3 = dot(second, F0541 + F0765, 0), t2 = dot(second, F0541, 0);
  let e = add(even, t3), o = fewOdd0(c31);
  const r0 = sums(e, o, e, o, 11), r7 = differences(e, o, e, o, 11);
  e = add(even, t2), o = fewOdd1(c31);
  const r1 = sums(e, o, e, o, 11), r6 = differences(e, o, e, o, 11);
  e = sub(even, t2), o = fewOdd2(c31);
  const r2 = sums(e, o, e, o, 11), r5 = differences(e, o, e, o, 11);
  e = sub(even, t3), o = fewOdd3(c31);
  const r3 = sums(e, o, e, o, 11), r4 = differences(e, o, e, o, 11);

  // Rows to four columns.
  const a = low16(r0, r1), b = low16(r2, r3), c = low16(r4, r5), d = low16(r6, r7);
  const ab0 = low32(a, b), ab1 = high32(a, b), cd0 = low32(c, d), cd1 = high32(c, d);
  c0 = low64(ab0, cd0), c1 = high64(ab0, cd0), c2 = low64(ab1, cd1), c3 = high64(ab1, cd1);
  even = eight0(wideLow(c0), 1 << 17), second = low16(c2, zero), c31 = low16(c3, c1);
  t3 = dot(second, F0541 + F0765, 0), t2 = dot(second, F0541, 0);
  const evenHigh = eight0(wideHigh(c0), 1 << 17), secondHigh = high16(c2, zero);
  const c31High = high16(c3, c1);
  const t3High = dot(secondHigh, F0541 + F0765, 0), t2High = dot(secondHigh, F0541, 0);
  e = add(even, t3), o = fewOdd0(c31);
  let eHigh = add(evenHigh, t3High), oHigh = fewOdd0(c31High);
  const s0 = sums(e, o, eHigh, oHigh, 18), s7 = differences(e, o, eHigh, oHigh, 18);
  e = add(even, t2), o = fewOdd1(c31), eHigh = add(evenHigh, t2High), oHigh = fewOdd1(c31High);
  const s1 = sums(e, o, eHigh, oHigh, 18), s6 = differences(e, o, eHigh, oHigh, 18);
  e = sub(even, t2), o = fewOdd2(c31), eHigh = sub(evenHigh, t2High), oHigh = fewOdd2(c31High);
  const s2 = sums(e, o, eHigh, oHigh, 18), s5 = differences(e, o, eHigh, oHigh, 18);
  e = sub(even, t3), o = fewOdd3(c31), eHigh = sub(evenHigh, t3High), oHigh = fewOdd3(c31High);
  const s3 = sums(e, o, eHigh, oHigh, 18), s4 = differences(e, o, eHigh, oHigh, 18);
  storeColumns(s0, s1, s2, s3, s4, s5, s6, s7, to, stride);
}
