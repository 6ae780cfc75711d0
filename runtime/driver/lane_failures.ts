// The failures of one lane: whether it restarts, and after which delay.
import { given } from "../base/options.ts";
import {
  type FailedInput,
  OperatorError,
  type OperatorErrorPolicy,
  type OperatorPlace,
} from "../definition/operator_error.ts";
import type { DeadInput } from "../engine/dead_inputs.ts";
import { type LoadedQuery, type PlainError, plainError } from "../executor/protocol.ts";
import type { Turn } from "../executor/pulse.ts";

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
  const { step = 0, offset = -1, number } = turn?.input ?? {};
  const operator = query?.steps[step - 1];
  if (query === undefined || operator === undefined || offset < 0) return plainError(cause);
  const policy = query.onOperatorError;
  return plainError(
    new OperatorError({ operator, offset, ...given({ number }) }, place, cause, {
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
  /** The partition came from a group, and may come again. */
  readonly member: boolean;
  readonly query: LoadedQuery | undefined;
  /** Its executor ended with it, or was cut. */
  readonly executor?: "ended" | "cut" | undefined;
}

/** Another start, or the end. */
export type Consequence =
  | { readonly delayMs: number; readonly dead: boolean }
  | { readonly delayMs: undefined; readonly why: string };

export class LaneFailures {
  /** The input that failed last, and how often in a row. */
  #key = "";
  #tries = 0;
  /** Inputs that the next run skips. */
  deadInputs: readonly DeadInput[] = [];
  /** Failures since it last recovered. */
  #failures = 0;
  /** Failures of throwing code without a batch in between, but for operators on an input. */
  #inARow = 0;
  #cut = 0;

  progressed(): void {
    this.#inARow = 0;
  }

  /** Its executor died for an unknown reason; returns milliseconds to wait. */
  stranded(): number {
    return Math.min(FAILURE.most, RETRYABLE.first * 2 ** this.#failures++);
  }

  failed(run: FailedRun): Consequence {
    const { error, query, executor } = run;
    const input = this.#note(error);
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
    // Another input than before: the query made progress.
    if (cheap && input?.tries === 1 || run.ranMs > RECOVERED_AFTER_MS) this.#failures = 0;
    const enough = this.#inARow >= mostInARow(query?.onOperatorError);
    if (enough || this.#isFatal(run)) {
      const times = enough && this.#inARow > 1
        ? `; it has failed ${this.#inARow} times in a row`
        : "";
      return { delayMs: undefined, why: error.message + times };
    }
    const { first, most } = paceOf(error);
    const delayMs = Math.min(most, first * 2 ** this.#failures++);
    const dead = input?.dead === true;
    if (dead && cheap) this.#failures = 0;
    // After a cut it must soon be in the checkpoint: the held thread may end the process.
    return { delayMs: dead && executor !== "ended" ? 0 : delayMs, dead };
  }

  /** Whether a restart cannot mend it. */
  #isFatal({ error, query, member }: FailedRun): boolean {
    const { code = "", retryable, failed } = error;
    const fenced = FENCING.has(code);
    if (FATAL.has(code) || fenced && !member) return true;
    if (query?.finite !== true) return false;
    return this.#failures >= paceOf(error).times || !retryable && !fenced && failed === undefined;
  }

  /**
   * Records the error of a run; returns how often its input has failed, and whether it was
   * dead-lettered; undefined without an input.
   */
  #note({ failed, stack }: PlainError): { tries: number; dead: boolean } | undefined {
    if (failed === undefined) return undefined;
    const { tries: limit = Infinity, why, ...input } = failed;
    const key = keyOf(input);
    this.#tries = key === this.#key ? this.#tries + 1 : 1;
    this.#key = key;
    // A dead-lettered input that still fails is left to the restarts.
    const known = this.deadInputs.some((one) => keyOf(one) === key);
    const dead = this.#tries >= limit && !known;
    if (dead) {
      const aside = { ...input, message: why, ...given({ stack }) };
      this.deadInputs = [...this.deadInputs, aside].slice(-MOST);
    }
    return { tries: this.#tries, dead };
  }
}

/** Names an input: of several offsets before the same timer there is one. */
function keyOf({ operator, offset, number, timer }: FailedInput): string {
  return JSON.stringify([operator, timer ?? offset, number, timer]);
}

/** The number of failures without a batch in between that ends the query. */
function mostInARow(policy: OperatorErrorPolicy | undefined): number {
  if (policy?.kind === "dead-letter") return policy.maxInARow;
  return policy?.kind === "stop" ? 1 : Infinity;
}

/** Inputs remembered; older ones are in the checkpoint. */
const MOST = 100;

/**
 * Delays before restarts, milliseconds; they double each time. A finite query restarts this many times,
 * others without limit. A log that is back must not wait for its queries.
 */
const RETRYABLE = { first: 100, most: 1000, times: 20 };
const FAILURE = { first: 1000, most: 30_000, times: 8 };

function paceOf({ retryable }: PlainError): typeof FAILURE {
  return retryable ? RETRYABLE : FAILURE;
}

/** A query that ran this long has recovered, milliseconds. */
const RECOVERED_AFTER_MS = 60_000;
/** Failures that a restart cannot mend. */
const FATAL = new Set([
  "OFFSET_OUT_OF_RANGE",
  "CHECKPOINT_GAP",
  "CHECKPOINT_CORRUPT",
  "CHECKPOINT_NEWER",
  "CHECKPOINT_CHANGED",
  "AUTHENTICATION_FAILED",
  "INVALID",
  "OPERATOR_FAILED",
  "TOO_LARGE",
  "DELETED",
]);
/** Another runtime took over, as noticed by the log or a sink. */
const FENCING = new Set(["FENCED", "TAKEN_OVER"]);
