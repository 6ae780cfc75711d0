// The failures of one lane: what is retried, after what delay, and when to give up.
import {
  OperatorError,
  type OperatorErrorPolicy,
  type OperatorPlace,
} from "../definition/operator_error.ts";
import type { InputAside } from "../engine/put_aside.ts";
import { type LoadedQuery, type PlainError, plainError } from "../executor/protocol.ts";
import type { Turn } from "../executor/pulse.ts";
import { FailedInputs } from "./failed_inputs.ts";
import { nextStart, strandedDelay } from "./restart_policy.ts";

/** Threads of a lane that may be terminated before it fails for good. */
const MOST_CUT = 3;

/** A lane crashed its executor or was terminated with it. */
class ExecutorError extends Error {
  override readonly name = "ExecutorError";
  // No line of code is to blame.
  override readonly stack = "";
}

/** The error of a lane that ended its executor: an operator's error, if its input is known. */
export function executorError(
  place: OperatorPlace,
  query: LoadedQuery | undefined,
  why: string,
  { turn, cut = false }: { readonly turn?: Turn; readonly cut?: boolean } = {},
): PlainError {
  const cause = new ExecutorError(why);
  const { step = 0, offset = -1 } = turn?.input ?? {};
  const operator = query?.steps[step - 1];
  if (query === undefined || operator === undefined || offset < 0) return plainError(cause);
  const policy = query.onOperatorError;
  return plainError(
    new OperatorError({ operator, offset }, place, cause, {
      final: policy.kind === "stop",
      // Each terminated try costs a thread.
      ...(policy.kind === "dead-letter" ? { tries: cut ? 1 : policy.tries } : {}),
    }),
  );
}

export interface FailedRun {
  readonly error: PlainError;
  /** Run time, milliseconds. */
  readonly ranMs: number;
  readonly member: boolean;
  /** The query, if it could be loaded. */
  readonly query: LoadedQuery | undefined;
  /** Set if its executor ended with it: by itself, or because its thread was blocked. */
  readonly executor?: "ended" | "cut" | undefined;
}

/** The outcome: a restart or the end. */
export type Consequence =
  | { readonly delayMs: number; readonly aside: boolean }
  | { readonly delayMs: undefined; readonly why: string };

/** The failures of one lane, across runs. */
export class LaneFailures {
  readonly #inputs = new FailedInputs();
  #failures = 0;
  /** Non-retryable failures without a failed input since the last completed batch. */
  #inARow = 0;
  /** Threads that were cut. */
  #cut = 0;

  /** Inputs that the next run must skip. */
  get aside(): readonly InputAside[] {
    return this.#inputs.aside;
  }

  /** Call after a completed batch. */
  progressed(): void {
    this.#inARow = 0;
  }

  /** Its executor died for an unknown reason. Returns the delay in milliseconds. */
  stranded(): number {
    return strandedDelay(this.#failures++);
  }

  /** Decides what follows a failed run. */
  failed({ error, ranMs, member, query, executor }: FailedRun): Consequence {
    const input = this.#inputs.note(error);
    // Starting an executor is expensive: a lane that keeps ending one waits longer each time, whatever the
    // input.
    const cheap = executor === undefined;
    if (executor === "cut" && ++this.#cut >= MOST_CUT) {
      const why =
        `${error.message}; a blocked thread ends only with its call, and ${MOST_CUT} are the limit`;
      return { delayMs: undefined, why };
    }
    // Errors of other systems have a code and may heal. Code that throws will throw again, and so will a
    // function that got an invalid argument from Node's point of view.
    const refused = error.code !== undefined && !error.code.startsWith("ERR_INVALID_");
    if (!error.retryable && !refused && input === undefined) this.#inARow++;
    const next = nextStart({
      error,
      // A different input than last time: the query made progress in between.
      failures: cheap && input?.tries === 1 ? 0 : this.#failures,
      ranMs,
      finite: query?.finite === true,
      member,
    });
    const enough = this.#inARow >= mostInARow(query?.onOperatorError);
    if (next === undefined || enough) {
      const times = enough && this.#inARow > 1
        ? `; it has failed ${this.#inARow} times in a row`
        : "";
      return { delayMs: undefined, why: error.message + times };
    }
    const aside = input?.aside === true;
    this.#failures = aside && cheap ? 0 : next.failures;
    // After a termination, restart at once so that the checkpoint soon records the input, in case the blocked
    // thread crashes the process.
    return { delayMs: aside && executor !== "ended" ? 0 : next.delayMs, aside };
  }
}

/** The number of failures without a batch in between that ends the query. */
function mostInARow(policy: OperatorErrorPolicy | undefined): number {
  if (policy?.kind === "dead-letter") return policy.maxInARow;
  return policy?.kind === "stop" ? 1 : Infinity;
}
