// @ts-nocheck: AssemblyScript
/**
 * Looking for large numbers among very many small ones.
 *
 * @module
 */

/**
 * Finds the floats of at least `least`, sixteen at a time.
 *
 * @param end a multiple of 64 bytes behind `from`
 * @param to gets the address of each sixteen that hold one, four bytes each
 * @returns behind the last address
 */
export function findFrom(from: usize, end: usize, least: f32, to: usize): usize {
  const limit = f32x4.splat(least);
  for (; from < end; from += 64) {
    const any = v128.or(
      v128.or(f32x4.ge(v128.load(from), limit), f32x4.ge(v128.load(from, 16), limit)),
      v128.or(f32x4.ge(v128.load(from, 32), limit), f32x4.ge(v128.load(from, 48), limit)),
    );
    if (!v128.any_true(any)) continue;
    store<usize>(to, from);
    to += 4;
  }
  return to;
}
