/**
 * Kernels for rows of pixels: colours, the two ways of resizing, floats. A row is worked on as four
 * bytes for each pixel, of which the fourth means nothing. Rows are read and written in whole vectors,
 * so that each needs some room after it.
 *
 * @module
 */
import type { FunctionBuilder, ModuleBuilder } from "./assembler.ts";
import { type I32, V128 } from "./values.ts";
import { FLOATS } from "./layout.ts";

const ZERO = V128.words(0);

/** 26,345 and −14,942 of 65,536 are what the products take beyond the whole; rounded like libjpeg. */
function addColours(module: ModuleBuilder): void {
  const names = ["luma", "blue", "red", "to", "end"] as const;
  // Of planes, those of colour less 128, to pixels.
  module.add("colours", names, false, (f, luma, blue, red, to, end) => {
    f.repeat(() => {
      const y = f.v128(luma.loadV8x8U());
      const cb = f.v128(blue.loadV8x8S());
      const cr = f.v128(red.loadV8x8S());
      const r = y.add16(cr).add16(cr.mulRound15(V128.words(13_172)));
      const b = y.add16(cb).add16(cb).add16(cb.mulRound15(V128.words(-7_471)));
      const shares = V128.words(-22_554, 18_734);
      const half = V128.longs(32_768);
      const low = cb.unpackLow16(cr).dot(shares).add32(half).shrS32(16);
      const high = cb.unpackHigh16(cr).dot(shares).add32(half).shrS32(16);
      const g = y.add16(low.narrow32S(high)).sub16(cr);
      const rg = f.v128(r.narrow16U(g));
      const bb = f.v128(b.narrow16U(b));
      for (const first of [0, 4]) {
        const bytes = [0, 1, 2, 3].flatMap((i) => {
          const pixel = first + i;
          return [pixel, pixel + 8, pixel + 16, pixel + 16];
        });
        f.storeV(to, rg.shuffle(bb, bytes), 4 * first);
      }
      f.set(luma, luma.add(8));
      f.set(blue, blue.add(8));
      f.set(red, red.add(8));
      f.set(to, to.add(32));
      return to.ltU(end);
    });
  });
}

/** `(a * b) >> 16` of words of two vectors, and their sum. */
function weighed(f: FunctionBuilder, pairs: V128, upper: V128, lower: V128): V128 {
  const both = f.v128(pairs);
  return both.dot(upper).shrS32(16).add32(both.dot(lower).shrS32(16));
}

function addResizing(module: ModuleBuilder): void {
  // For each pixel of the result eight bytes of taps: where its two lie, and two weights.
  module.add("across", ["from", "taps", "to", "end"], false, (f, from, taps, to, end) => {
    const one = (i: number) => {
      const pixels = from.add(taps.load(8 * i)).loadV64();
      const pairs = pixels.shuffle(ZERO, [0, 16, 4, 16, 1, 16, 5, 16, 2, 16, 6, 16, 3, 16, 7, 16]);
      return pairs.dot(taps.loadSplat32(8 * i + 4)).shrS32(4);
    };
    f.repeat(() => {
      f.storeV(to, one(0).narrow32S(one(1)));
      f.storeV(to, one(2).narrow32S(one(3)), 16);
      f.set(taps, taps.add(32));
      f.set(to, to.add(32));
      return to.ltU(end);
    });
  });

  const names = ["upper", "lower", "upperWeight", "lowerWeight", "to", "end"] as const;
  module.add("down", names, false, (f, upper, lower, upperWeight, lowerWeight, to, end) => {
    const high = f.v128(upperWeight.splat32());
    const low = f.v128(lowerWeight.shl(16).splat32());
    f.repeat(() => {
      const [a, b] = [0, 16].map((at) => {
        const u = f.v128(upper.loadV(at)), l = f.v128(lower.loadV(at));
        const sum = weighed(f, u.unpackLow16(l), high, low)
          .narrow32S(weighed(f, u.unpackHigh16(l), high, low));
        return f.v128(sum.add16(V128.words(2)).shrS16(2));
      }) as unknown as [V128, V128];
      f.storeV(to, a.narrow16U(b));
      f.set(upper, upper.add(32));
      f.set(lower, lower.add(32));
      f.set(to, to.add(16));
      return to.ltU(end);
    });
  });

  // The mean of each four pixels.
  module.add("halve", ["upper", "lower", "to", "end"], false, (f, upper, lower, to, end) => {
    f.repeat(() => {
      const u = f.v128(upper.loadV()), l = f.v128(lower.loadV());
      const left = f.v128(u.low8U().add16(l.low8U()));
      const right = f.v128(u.high8U().add16(l.high8U()));
      const sum = left.unpackLow64(right).add16(left.unpackHigh64(right));
      const mean = f.v128(sum.add16(V128.words(2)).shrU16(2));
      f.storeHalf(to, mean.narrow16U(mean), 0);
      f.set(upper, upper.add(16));
      f.set(lower, lower.add(16));
      f.set(to, to.add(8));
      return to.ltU(end);
    });
  });

  // Three bytes for each pixel to four.
  module.add("widen", ["from", "to", "end"], false, (f, from, to, end) => {
    f.repeat(() => {
      const bytes = from.loadV();
      f.storeV(to, bytes.shuffle(ZERO, [0, 1, 2, 16, 3, 4, 5, 16, 6, 7, 8, 16, 9, 10, 11, 16]));
      f.set(from, from.add(12));
      f.set(to, to.add(16));
      return to.ltU(end);
    });
  });
}

/**
 * Four pixels at a time to floats, `byte * factor + offset`. `FLOATS` holds three vectors of factors
 * and three of offsets, in the order of the samples.
 */
function addFloats(module: ModuleBuilder): void {
  const constants = (f: FunctionBuilder) => {
    const zero = f.i32(0);
    const load = (i: number) => f.v128(zero.loadV(FLOATS + 16 * i));
    return { factors: [0, 1, 2].map(load), offsets: [3, 4, 5].map(load) };
  };
  const orders = { Rgb: [0, 1, 2], Bgr: [2, 1, 0] };
  for (const [name, order] of Object.entries(orders)) {
    module.add(`pixels${name}`, ["from", "to", "end"], false, (f, from, to, end) => {
      const { factors, offsets } = constants(f);
      f.repeat(() => {
        const bytes = f.v128(from.loadV());
        for (let part = 0; part < 3; part++) {
          const samples = [0, 1, 2, 3].flatMap((i) => {
            const sample = 4 * part + i;
            return [4 * Math.floor(sample / 3) + order[sample % 3]!, 16, 16, 16];
          });
          const floats = bytes.shuffle(ZERO, samples).toFloat();
          f.storeV(to, floats.mulF(factors[part]!).addF(offsets[part]!), 16 * part);
        }
        f.set(from, from.add(16));
        f.set(to, to.add(48));
        return from.ltU(end);
      });
    });
    module.add(
      `planes${name}`,
      ["from", "to", "plane", "end"],
      false,
      (f, from, to, plane, end) => {
        const { factors, offsets } = constants(f);
        const planes: I32[] = [to, f.i32(to.add(plane)), f.i32(to.add(plane.shl(1)))];
        const at = f.i32(0);
        f.repeat(() => {
          const bytes = f.v128(from.loadV());
          for (const [c, address] of planes.entries()) {
            const samples = [0, 4, 8, 12].flatMap((pixel) => [pixel + order[c]!, 16, 16, 16]);
            const floats = bytes.shuffle(ZERO, samples).toFloat();
            f.storeV(address.add(at), floats.mulF(factors[c]!).addF(offsets[c]!));
          }
          f.set(from, from.add(16));
          f.set(at, at.add(16));
          return from.ltU(end);
        });
      },
    );
  }
}

/** Adds the kernels for rows. */
export function addPixels(module: ModuleBuilder): void {
  addColours(module);
  addResizing(module);
  addFloats(module);
}
