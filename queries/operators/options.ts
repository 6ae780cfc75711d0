// Validation of operators' options.

/** The range of a number. */
export interface Bounds {
  readonly min: number;
  readonly max: number;
  /** True if only whole numbers are accepted. */
  readonly whole?: boolean;
}

/**
 * Checks that numbers are in range.
 *
 * @param what the operator that the options belong to
 * @throws {RangeError} naming every fault: option, given, accepted.
 */
export function checkNumbers(
  what: string,
  values: Readonly<Record<string, number>>,
  bounds: Readonly<Record<string, Bounds>>,
): void {
  const faults: string[] = [];
  for (const [name, { min, max, whole = false }] of Object.entries(bounds)) {
    const value = values[name]!;
    if (value >= min && value <= max && (!whole || Number.isInteger(value))) continue;
    faults.push(
      `${name}: expected a ${whole ? "whole " : ""}number from ${min} to ${max}, given ${value}`,
    );
  }
  if (faults.length > 0) throw new RangeError(`Cannot use ${what} options: ${faults.join("; ")}`);
}
