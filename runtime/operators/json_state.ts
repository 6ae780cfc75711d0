// Checks that a state can be stored as JSON.

class StateError extends TypeError {
  override readonly name = "StateError";
  /** Restarting the query does not help. */
  readonly code = "INVALID";
}

/**
 * Checks that JSON preserves a state.
 *
 * @param step name of the state's operator
 * @throws {StateError} with the path of the first part that JSON does not preserve.
 */
export function checkJsonState(step: string, state: unknown): void {
  const fault = faultOf(state, "state", new Set());
  if (fault === undefined) return;
  throw new StateError(
    `Cannot keep the state of ${step}: ${fault}; expected values that JSON preserves: null, booleans, finite numbers, text, lists and plain objects`,
  );
}

function faultOf(value: unknown, path: string, around: Set<object>): string | undefined {
  switch (typeof value) {
    case "string":
    case "boolean":
      return undefined;
    case "number":
      return Number.isFinite(value) ? undefined : `${path} is ${value}`;
    case "object":
      break;
    default:
      return `${path} is ${value === undefined ? "undefined" : `a ${typeof value}`}`;
  }
  if (value === null) return undefined;
  if (around.has(value)) return `${path} contains itself`;
  const prototype = Object.getPrototypeOf(value);
  const list = Array.isArray(value);
  if (!list && prototype !== Object.prototype && prototype !== null) {
    return `${path} is a ${prototype.constructor?.name ?? "object of a class"}`;
  }
  const [symbol] = Object.getOwnPropertySymbols(value);
  if (symbol !== undefined) return `${path} has the field ${String(symbol)}`;
  around.add(value);
  const entries: Iterable<[string | number, unknown]> = list
    ? value.entries()
    : Object.entries(value);
  for (const [key, part] of entries) {
    // JSON omits undefined fields, which then read as undefined.
    if (part === undefined && !list) continue;
    const fault = faultOf(part, list ? `${path}[${key}]` : `${path}.${key}`, around);
    if (fault !== undefined) return fault;
  }
  around.delete(value);
  return undefined;
}
