// @ts-nocheck: AssemblyScript
/**
 * Rows of pixels: colours, the two ways of resizing, floats. A row is worked on as four bytes for each
 * pixel, of which the fourth means nothing. Rows are read and written in whole vectors: each needs
 * room for 32 bytes behind it.
 *
 * @module
 */
import { FLOATS } from "./layout.ts";

/**
 * Planes, those of colour less 128, to pixels, rounded like libjpeg: 26,345 and −14,942 of 65,536 are
 * what the products take beyond the whole.
 */
export function colours(luma: usize, blue: usize, red: usize, to: usize, end: usize): void {
  const shares = i16x8(-22_554, 18_734, -22_554, 18_734, -22_554, 18_734, -22_554, 18_734);
  const half = i32x4.splat(32_768);
  for (; to < end; luma += 8, blue += 8, red += 8, to += 32) {
    const y = v128.load_ext<u8>(luma), cb = v128.load_ext<i8>(blue), cr = v128.load_ext<i8>(red);
    const r = i16x8.add(i16x8.add(y, cr), i16x8.q15mulr_sat_s(cr, i16x8.splat(13_172)));
    const b = i16x8.add(
      i16x8.add(i16x8.add(y, cb), cb),
      i16x8.q15mulr_sat_s(cb, i16x8.splat(-7_471)),
    );
    const low = v128.shuffle<i16>(cb, cr, 0, 8, 1, 9, 2, 10, 3, 11);
    const high = v128.shuffle<i16>(cb, cr, 4, 12, 5, 13, 6, 14, 7, 15);
    const share = i16x8.narrow_i32x4_s(
      i32x4.shr_s(i32x4.add(i32x4.dot_i16x8_s(low, shares), half), 16),
      i32x4.shr_s(i32x4.add(i32x4.dot_i16x8_s(high, shares), half), 16),
    );
    const g = i16x8.sub(i16x8.add(y, share), cr);
    const rg = i8x16.narrow_i16x8_u(r, g), bb = i8x16.narrow_i16x8_u(b, b);
    v128.store(
      to,
      v128.shuffle<u8>(rg, bb, 0, 8, 16, 16, 1, 9, 17, 17, 2, 10, 18, 18, 3, 11, 19, 19),
    );
    v128.store(
      to,
      v128.shuffle<u8>(rg, bb, 4, 12, 20, 20, 5, 13, 21, 21, 6, 14, 22, 22, 7, 15, 23, 23),
      16,
    );
  }
}

/** Three bytes for each pixel to four. */
export function widen(from: usize, to: usize, end: usize): void {
  const zero = i8x16.splat(0);
  for (; to < end; from += 12, to += 16) {
    v128.store(
      to,
      v128.shuffle<u8>(v128.load(from), zero, 0, 1, 2, 16, 3, 4, 5, 16, 6, 7, 8, 16, 9, 10, 11, 16),
    );
  }
}

/** Two pixels side by side, mixed as their tap says: where they lie (4 bytes), two weights (2 each). */
function mixed(from: usize, tap: usize): v128 {
  const pixels = v128.load64_zero(from + load<usize>(tap));
  const pairs = v128.shuffle<u8>(
    pixels,
    i8x16.splat(0),
    0,
    16,
    4,
    16,
    1,
    16,
    5,
    16,
    2,
    16,
    6,
    16,
    3,
    16,
    7,
    16,
  );
  return i32x4.shr_s(i32x4.dot_i16x8_s(pairs, v128.load32_splat(tap, 4)), 4);
}

/** Resizes a row across: each pixel becomes four numbers of 16 bits. */
export function across(from: usize, taps: usize, to: usize, end: usize): void {
  for (; to < end; taps += 32, to += 32) {
    v128.store(to, i16x8.narrow_i32x4_s(mixed(from, taps), mixed(from, taps + 8)));
    v128.store(to, i16x8.narrow_i32x4_s(mixed(from, taps + 16), mixed(from, taps + 24)), 16);
  }
}

/** `(upper * high) >> 16` and `(lower * low) >> 16`, added. */
function weighed(pairs: v128, high: v128, low: v128): v128 {
  return i32x4.add(
    i32x4.shr_s(i32x4.dot_i16x8_s(pairs, high), 16),
    i32x4.shr_s(i32x4.dot_i16x8_s(pairs, low), 16),
  );
}

function weighedRow(upper: usize, lower: usize, high: v128, low: v128): v128 {
  const u = v128.load(upper), l = v128.load(lower);
  const sum = i16x8.narrow_i32x4_s(
    weighed(v128.shuffle<i16>(u, l, 0, 8, 1, 9, 2, 10, 3, 11), high, low),
    weighed(v128.shuffle<i16>(u, l, 4, 12, 5, 13, 6, 14, 7, 15), high, low),
  );
  return i16x8.shr_s(i16x8.add(sum, i16x8.splat(2)), 2);
}

/** Mixes two rows that were resized across, to four bytes for each pixel. */
export function down(
  upper: usize,
  lower: usize,
  upperWeight: i32,
  lowerWeight: i32,
  to: usize,
  end: usize,
): void {
  const high = i32x4.splat(upperWeight), low = i32x4.splat(lowerWeight << 16);
  for (; to < end; upper += 32, lower += 32, to += 16) {
    const left = weighedRow(upper, lower, high, low);
    v128.store(to, i8x16.narrow_i16x8_u(left, weighedRow(upper + 16, lower + 16, high, low)));
  }
}

/** The mean of each four pixels. */
export function halve(upper: usize, lower: usize, to: usize, end: usize): void {
  for (; to < end; upper += 16, lower += 16, to += 8) {
    const u = v128.load(upper), l = v128.load(lower);
    const left = i16x8.add(i16x8.extend_low_i8x16_u(u), i16x8.extend_low_i8x16_u(l));
    const right = i16x8.add(i16x8.extend_high_i8x16_u(u), i16x8.extend_high_i8x16_u(l));
    const sum = i16x8.add(
      v128.shuffle<i64>(left, right, 0, 2),
      v128.shuffle<i64>(left, right, 1, 3),
    );
    const mean = i16x8.shr_u(i16x8.add(sum, i16x8.splat(2)), 2);
    v128.store64_lane(to, i8x16.narrow_i16x8_u(mean, mean), 0);
  }
}

/** Places of four bytes, to take as numbers of 32 bits. */
function places(a: i32, b: i32, c: i32, d: i32): v128 {
  // Places that do not exist give zeros.
  return i32x4(a | -256, b | -256, c | -256, d | -256);
}

/** Four samples to floats, `sample * factor + offset`. */
function scaled(samples: v128, factors: v128, offsets: v128): v128 {
  return f32x4.add(f32x4.mul(f32x4.convert_i32x4_s(samples), factors), offsets);
}

/**
 * Pixels to floats of a pixel together (HWC), four pixels at a time. `FLOATS` holds three vectors of
 * factors and three of offsets, in the order of the samples.
 *
 * @param red where it comes in a tensor's pixel: 0 or 2
 * @param blue likewise
 */
export function pixels(from: usize, to: usize, end: usize, red: i32, blue: i32): void {
  const first = places(red, 1, blue, 4 + red), second = places(5, 4 + blue, 8 + red, 9);
  const third = places(8 + blue, 12 + red, 13, 12 + blue);
  const f0 = v128.load(FLOATS), f1 = v128.load(FLOATS + 16), f2 = v128.load(FLOATS + 32);
  const o0 = v128.load(FLOATS + 48), o1 = v128.load(FLOATS + 64), o2 = v128.load(FLOATS + 80);
  for (; from < end; from += 16, to += 48) {
    const bytes = v128.load(from);
    v128.store(to, scaled(i8x16.swizzle(bytes, first), f0, o0));
    v128.store(to, scaled(i8x16.swizzle(bytes, second), f1, o1), 16);
    v128.store(to, scaled(i8x16.swizzle(bytes, third), f2, o2), 32);
  }
}

/** One sample of each of four pixels: the byte `shift` bits from the lowest. */
function samples(bytes: v128, shift: i32): v128 {
  return v128.and(i32x4.shr_u(bytes, shift), i32x4.splat(255));
}

/** Like `pixels`, to planes of floats (CHW), `plane` bytes from one to the next. */
export function planes(
  from: usize,
  to: usize,
  plane: usize,
  end: usize,
  red: i32,
  blue: i32,
): void {
  const f0 = v128.load(FLOATS), f1 = v128.load(FLOATS + 16), f2 = v128.load(FLOATS + 32);
  const o0 = v128.load(FLOATS + 48), o1 = v128.load(FLOATS + 64), o2 = v128.load(FLOATS + 80);
  for (; from < end; from += 16, to += 16) {
    const bytes = v128.load(from);
    v128.store(to, scaled(samples(bytes, 8 * red), f0, o0));
    v128.store(to + plane, scaled(samples(bytes, 8), f1, o1));
    v128.store(to + 2 * plane, scaled(samples(bytes, 8 * blue), f2, o2));
  }
}
