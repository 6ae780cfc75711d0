// Errors of operators: what they say, and what a query does about them.
import { optionFaults, shown, whole, withDefaults } from "../base/options.ts";
import { codeOf, messageOf, type Place, placeOf, placeText, stackOf } from "../base/errors.ts";
import { isRetryable } from "../base/wait.ts";

/**
 * What a query does when an operator throws anything but a `BadFrameError`.
 *
 * - `dead-letter`: the operator is called `tries` times with the same input; then the frame goes to the
 *   dead letters with the reason `operator-error`, and the query continues. When an operator has failed on
 *   `maxInARow` inputs in a row, the query ends as failed.
 * - `restart`: the query starts again at the same frame until the operator succeeds.
 * - `stop`: the query ends as failed at the first error.
 *
 * A sink that throws, or an operator that cannot be opened, has no frame to put aside: the query starts again
 * after a while, and with `dead-letter` ends as failed when that has failed `maxInARow` times without a batch in
 * between. Errors with a `code`, of their own or of their cause, come from another system, such as a full disk,
 * and so do failed fetches: these are tried until it heals.
 */
export type OperatorErrorPolicy =
  | { readonly kind: "dead-letter"; readonly tries: number; readonly maxInARow: number }
  | { readonly kind: "restart" }
  | { readonly kind: "stop" };

/** A policy by its name, or with numbers of its own. */
export type OperatorErrorOption =
  | OperatorErrorPolicy["kind"]
  | { readonly kind: "dead-letter"; readonly tries?: number; readonly maxInARow?: number }
  | { readonly kind: "restart" | "stop" };

/**
 * Checks a policy and fills in defaults: `tries` 3, `maxInARow` 10.
 *
 * @throws {RangeError} saying what was given and what is accepted.
 */
export function checkOperatorErrors(option: OperatorErrorOption): OperatorErrorPolicy {
  const { kind, ...numbers } = typeof option === "string" ? { kind: option } : { ...option };
  if (kind !== "restart" && kind !== "stop" && kind !== "dead-letter") {
    throw new RangeError(
      `Cannot use onOperatorError ${shown(option)}: expected restart, dead-letter or stop`,
    );
  }
  const faults = optionFaults(
    numbers,
    kind === "dead-letter" ? { tries: whole(1), maxInARow: whole(1) } : {},
  );
  if (faults.length > 0) {
    throw new RangeError(`Cannot use onOperatorError ${kind}: ${faults.join("; ")}`);
  }
  return kind === "dead-letter"
    ? withDefaults({ kind, tries: 3, maxInARow: 10 }, numbers)
    : { kind };
}

/** The input that an operator failed on: what is put aside when it fails again and again. */
export interface FailedInput {
  /** Name of the operator. */
  readonly operator: string;
  /** Offset of the frame that was being processed; of a timer, of the last frame before it. */
  readonly offset: number;
  /** The time of the timer that was being handled, epoch milliseconds. */
  readonly timer?: number;
}

/** An operator that failed on no input: when it was opened, or asked for its state. */
export type OperatorAlone = Pick<FailedInput, "operator">;

/** Where an operator works. */
export interface OperatorPlace {
  readonly query: string;
  readonly topic: string;
  readonly partition: number;
}

/** An operator failed; `cause` is what it threw, `stack` is that of the cause. */
export class OperatorError extends Error {
  override readonly name = "OperatorError";
  readonly operator: string;
  /** Undefined when it failed on none. */
  readonly input: FailedInput | undefined;
  /** The user's own file and line, where the stack tells them. */
  readonly place: Place | undefined;
  /** `OPERATOR_FAILED` when a restart does not help; without an input that of the cause. */
  readonly code: string | undefined;
  readonly retryable: boolean;
  /** How often the input is tried; undefined when it is never put aside. */
  readonly tries: number | undefined;

  constructor(
    input: FailedInput | OperatorAlone,
    { query, topic, partition }: OperatorPlace,
    cause: unknown,
    { final = false, tries, why = "" }: { final?: boolean; tries?: number; why?: string } = {},
  ) {
    const { operator } = input;
    const place = placeOf(cause);
    const known = "offset" in input ? input : undefined;
    const at = known === undefined
      ? ""
      : known.timer === undefined
      ? ` offset ${known.offset}`
      : ` the timer of ${known.timer}`;
    super(
      `Operator ${operator} of query ${query} failed at ${topic} partition ${partition}${at}: ` +
        messageOf(cause) + placeText(place) + why,
      { cause },
    );
    this.operator = operator;
    this.input = known;
    this.place = place;
    this.code = final ? "OPERATOR_FAILED" : known === undefined ? codeOf(cause) : undefined;
    this.retryable = known === undefined && isRetryable(cause);
    this.tries = final ? undefined : tries;
    const stack = stackOf(cause);
    if (stack !== undefined) this.stack = stack;
  }
}
