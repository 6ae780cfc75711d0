// Trying requests again where that helps, within a time.
import { systemClock } from "../../../base/clock.ts";
import { DeadlineError, withDeadline } from "../../../base/wait.ts";
import { LogError } from "../../log.ts";
import { ThrottledError, TimeoutError } from "../protocol/errors.ts";
import { isRepeatable, outcomeOf, toLogError } from "./failures.ts";

const FIRST_DELAY_MS = 5;
const MAX_DELAY_MS = 250;

/** How a request is attempted. */
export interface AttemptOptions {
  /** Ends the attempt; so does `closing`, with an error that the log is closed. */
  readonly signal?: AbortSignal;
  readonly closing: AbortSignal;
  readonly timeoutMs: number;
  /** Doubles from try to try, up to 250 ms. */
  readonly firstDelayMs?: number;
  /** The brokers of the log's URL, for people. */
  readonly brokers: string;
  /** The leader or coordinator may be another one now. */
  readonly onMoved: () => void;
  /** There is no other broker. */
  readonly isAlone: () => boolean;
}

/**
 * Runs requests until they succeed, again and again where that helps, for `timeoutMs` at most.
 *
 * @param action what is being tried, as the beginning of a sentence of an error.
 * @param request changes nothing but what its requests change at the broker: it may be abandoned half-way and
 * run again. Its signal aborts then; requests that are given it are not sent any more.
 * @throws {LogError}
 */
export async function attempt<T>(
  action: string,
  request: (signal: AbortSignal) => Promise<T>,
  options: AttemptOptions,
): Promise<T> {
  const { signal, closing, timeoutMs, firstDelayMs = FIRST_DELAY_MS, brokers } = options;
  const throwIfOver = () => {
    if (closing.aborted) throw new LogError("CLOSED", `${action}: the log is closed`);
    signal?.throwIfAborted();
  };
  const ended = signal === undefined ? closing : AbortSignal.any([closing, signal]);
  let deadline = systemClock.monotonic() + timeoutMs;
  let delay = firstDelayMs;
  let dials = 0;
  /** What went wrong last: it says more than that time ran out. */
  let problem: unknown;
  for (;;) {
    throwIfOver();
    try {
      return await withDeadline(action, deadline - systemClock.monotonic(), request, {
        signal: ended,
      });
    } catch (error) {
      throwIfOver();
      if (error instanceof ThrottledError) {
        // The quota's time is not the broker's.
        await systemClock.sleep(error.ms, closing).catch(throwIfOver);
        deadline += error.ms;
        continue;
      }
      const late = systemClock.monotonic() + delay >= deadline;
      const told = error instanceof DeadlineError
        ? problem ?? new TimeoutError(`no answer within ${timeoutMs} ms`)
        : error;
      if (!isRepeatable(told) || late) throw toLogError(told, action, brokers);
      problem = error;
      const outcome = outcomeOf(error);
      // A lost connection is dialled once more at once. After that a lone broker is away, which is
      // for the caller to wait for; of several another one takes over.
      if (outcome === "reconnect" && ++dials > 1 && options.isAlone()) {
        throw toLogError(error, action, brokers);
      }
      if (outcome !== "retry") options.onMoved();
    }
    await systemClock.sleep(delay, closing).catch(throwIfOver);
    delay = Math.min(delay * 2, MAX_DELAY_MS);
  }
}
