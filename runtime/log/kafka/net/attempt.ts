// Retries requests until a deadline.
import { systemClock } from "../../../base/clock.ts";
import { DeadlineError, withDeadline } from "../../../base/wait.ts";
import { LogError } from "../../log.ts";
import { ThrottledError, TimeoutError } from "../protocol/errors.ts";
import { isRepeatable, outcomeOf, toLogError } from "./failures.ts";

const FIRST_DELAY_MS = 5;
const MAX_DELAY_MS = 250;

interface Context {
  readonly closing: AbortSignal;
  readonly timeoutMs: number;
  /** The bootstrap brokers, for messages. */
  readonly where: string;
  /** The cluster has no other broker. */
  readonly isAlone: boolean;
  forgetLeaders(): void;
  pause(action: string, ms: number): Promise<void>;
}

/**
 * Runs requests until they succeed or fail permanently, for `timeoutMs` at most, and
 * as long again for pauses that a broker asks for by its quotas.
 *
 * @param action the beginning of an error message
 * @param request must have no effect but at the broker, since it may be aborted half-way and run again
 * @param firstDelayMs delay before the second try; doubles up to 250 ms
 * @throws {LogError}
 */
export async function attempt<T>(
  cluster: Context,
  action: string,
  request: (signal: AbortSignal) => Promise<T>,
  firstDelayMs = FIRST_DELAY_MS,
): Promise<T> {
  const { closing, timeoutMs, where } = cluster;
  const throwIfOver = () => {
    if (closing.aborted) throw new LogError("CLOSED", `${action}: the log is closed`);
  };
  let deadline = systemClock.monotonic() + timeoutMs;
  let delay = firstDelayMs;
  let dials = 0;
  let pausesMs = 0;
  // The last error says more than that the time is over.
  let problem: unknown;
  for (;;) {
    throwIfOver();
    try {
      const leftMs = deadline - systemClock.monotonic();
      return await withDeadline(action, leftMs, request, { signal: closing });
    } catch (error) {
      throwIfOver();
      if (error instanceof ThrottledError) {
        // Throttling does not count as the broker's time. It may throttle each response, without end.
        if ((pausesMs += error.ms) > timeoutMs) throw toLogError(error, action, where);
        await cluster.pause(action, error.ms);
        deadline += error.ms;
        continue;
      }
      const late = systemClock.monotonic() + delay >= deadline;
      const reported = error instanceof DeadlineError
        ? problem ?? new TimeoutError(`no response within ${timeoutMs} ms`)
        : error;
      if (!isRepeatable(reported) || late) throw toLogError(reported, action, where);
      problem = error;
      const outcome = outcomeOf(error);
      // A lost connection is dialled again at once. If that fails and there is no other broker, the
      // caller waits for it.
      if (outcome === "reconnect" && ++dials > 1 && cluster.isAlone) {
        throw toLogError(error, action, where);
      }
      if (outcome !== "retry") cluster.forgetLeaders();
    }
    await systemClock.sleep(delay, closing).catch(throwIfOver);
    delay = Math.min(delay * 2, MAX_DELAY_MS);
  }
}
