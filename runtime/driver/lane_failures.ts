// The failures of one lane: what is retried, after how long, and when it ends.
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

/** Threads that a lane may lose by holding them. */
const MOST_CUT = 3;

/** A lane crashed its executor or was terminated with it. */
class ExecutorError extends Error {
  override readonly name = "ExecutorError";
  // It has no place in the code.
  override readonly stack = "";
}

/** The error of a lane that ended its executor: its operator's, if the input is known. */
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
      // Each cut costs a thread.
      ...(policy.kind === "dead-letter" ? { tries: cut ? 1 : policy.tries } : {}),
    }),
  );
}

export interface FailedRun {
  readonly error: PlainError;
  /** Run time, milliseconds. */
  readonly ranMs: number;
  readonly member: boolean;
  readonly query: LoadedQuery | undefined;
  /** Its executor ended with it, or was cut. */
  readonly executor?: "ended" | "cut" | undefined;
}

/** Another start, or the end. */
export type Consequence =
  | { readonly delayMs: number; readonly aside: boolean }
  | { readonly delayMs: undefined; readonly why: string };

export class LaneFailures {
  readonly #inputs = new FailedInputs();
  #failures = 0;
  /** Failures of throwing code without a batch in between, but for operators on an input. */
  #inARow = 0;
  #cut = 0;

  /** Inputs that the next run skips. */
  get aside(): readonly InputAside[] {
    return this.#inputs.aside;
  }

  progressed(): void {
    this.#inARow = 0;
  }

  /** Its executor died for an unknown reason; returns milliseconds to wait. */
  stranded(): number {
    return strandedDelay(this.#failures++);
  }

  failed({ error, ranMs, member, query, executor }: FailedRun): Consequence {
    const input = this.#inputs.note(error);
    // Executors are expensive: what ends one again and again waits longer each time.
    const cheap = executor === undefined;
    if (executor === "cut" && ++this.#cut >= MOST_CUT) {
      const why =
        `${error.message}; a blocked thread ends only with its call, and ${MOST_CUT} are the limit`;
      return { delayMs: undefined, why };
    }
    // Errors of other systems have a code, and may heal; code that throws will throw again, as will
    // a Node function with wrong arguments.
    const refused = error.code !== undefined && !error.code.startsWith("ERR_INVALID_");
    if (!error.retryable && !refused && input === undefined) this.#inARow++;
    const next = nextStart({
      error,
      // Another input than before: the query made progress.
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
    // After a cut it must soon be in the checkpoint: the held thread may end the process.
    return { delayMs: aside && executor !== "ended" ? 0 : next.delayMs, aside };
  }
}

/** The number of failures without a batch in between that ends the query. */
function mostInARow(policy: OperatorErrorPolicy | undefined): number {
  if (policy?.kind === "dead-letter") return policy.maxInARow;
  return policy?.kind === "stop" ? 1 : Infinity;
}
