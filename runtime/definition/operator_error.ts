// Errors of operators, and a query's policy for them.
import { checkOptions } from "../base/fields.ts";
import { shown, whole, withDefaults } from "../base/options.ts";
import { codeOf, messageOf, type Place, placeOf, placeText, stackOf } from "../base/errors.ts";
import { isRetryable } from "../base/wait.ts";

/**
 * What a query does when an operator throws any error except `BadFrameError`.
 *
 * - `dead-letter`: the operator is called `tries` times with the same input; then the frame is
 *   dead-lettered with the reason `operator-error`, and the query continues. When an operator has
 *   failed on `maxInARow` inputs in a row, the query fails.
 * - `restart`: the query restarts at the same frame until the operator succeeds.
 * - `stop`: the query fails at the first error.
 *
 * If a sink throws, or an operator cannot be opened, there is no frame to dead-letter: the query
 * restarts after a delay, and with `dead-letter` fails after `maxInARow` such failures without a
 * batch in between. Errors with a `code`, their own or their cause's, come from another system,
 * such as a full disk, and so do failed fetches: these are retried until the system recovers.
 */
export type OperatorErrorPolicy =
  | { readonly kind: "dead-letter"; readonly tries: number; readonly maxInARow: number }
  | { readonly kind: "restart" }
  | { readonly kind: "stop" };

/** A policy by name, or with its own numbers. */
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
  const rows = kind === "dead-letter" ? { tries: whole(1), maxInARow: whole(1) } : {};
  checkOptions<object>(`use onOperatorError ${kind}`, numbers, rows);
  return kind === "dead-letter"
    ? withDefaults({ kind, tries: 3, maxInARow: 10 }, numbers)
    : { kind };
}

/** The input on which an operator failed, which is dead-lettered after repeated failures. */
export interface FailedInput {
  /** Name of the operator. */
  readonly operator: string;
  /** Offset of the frame; of a window, its first; for a timer, of the last frame before it. */
  readonly offset: number;
  /** Of a window, or of what was found in one: its number among those that begin at the frame, from 0. */
  readonly number?: number;
  /** Time of the timer, epoch milliseconds. */
  readonly timer?: number;
}

/** An operator that failed without an input: on opening, or on saving its state. */
export type OperatorAlone = Pick<FailedInput, "operator">;

/** The query and partition of an operator. */
export interface OperatorPlace {
  readonly query: string;
  readonly topic: string;
  readonly partition: number;
}

/** An operator failed; `cause` is its error, `stack` is the cause's. */
export class OperatorError extends Error {
  override readonly name = "OperatorError";
  readonly operator: string;
  /** Undefined if it failed without an input. */
  readonly input: FailedInput | undefined;
  /** The user's file and line, if the stack shows them. */
  readonly place: Place | undefined;
  /** `OPERATOR_FAILED` if a restart does not help; without an input, the cause's code. */
  readonly code: string | undefined;
  readonly retryable: boolean;
  /** How often the input is tried; undefined if it is never dead-lettered. */
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
