// Trying requests again where that helps, within a time.
import { systemClock } from "../../../base/clock.ts";
import { DeadlineError, withDeadline } from "../../../base/wait.ts";
import { LogError } from "../../log.ts";
import { ThrottledError, TimeoutError } from "../protocol/errors.ts";
import { isRepeatable, outcomeOf, toLogError } from "./failures.ts";

const FIRST_DELAY_MS = 5;
const MAX_DELAY_MS = 250;

/** What requests are made of. */
interface Asked {
  /** Ends the attempt. */
  readonly closing: AbortSignal;
  readonly timeoutMs: number;
  /** The brokers of the log's URL, for people. */
  readonly where: string;
  /** There is no other broker. */
  readonly isAlone: boolean;
  /** The leader or coordinator may be another one now. */
  forgetPlaces(): void;
}

/**
 * Runs requests until they succeed, again and again where that helps, for `timeoutMs` at most.
 *
 * @param action what is being tried, as the beginning of a sentence of an error.
 * @param firstDelayMs the wait before the second try; doubles from try to try, up to 250 ms.
 * @param request changes nothing but what its requests change at the broker: it may be abandoned half-way and
 * run again. Its signal aborts then; requests that are given it are not sent any more.
 * @throws {LogError}
 */
export async function attempt<T>(
  cluster: Asked,
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
  /** What went wrong last: it says more than that time ran out. */
  let problem: unknown;
  for (;;) {
    throwIfOver();
    try {
      return await withDeadline(action, deadline - systemClock.monotonic(), request, {
        signal: closing,
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
      const reported = error instanceof DeadlineError
        ? problem ?? new TimeoutError(`no answer within ${timeoutMs} ms`)
        : error;
      if (!isRepeatable(reported) || late) throw toLogError(reported, action, where);
      problem = error;
      const outcome = outcomeOf(error);
      // A lost connection is dialled once more at once. After that a lone broker is away, which is
      // for the caller to wait for; of several another one takes over.
      if (outcome === "reconnect" && ++dials > 1 && cluster.isAlone) {
        throw toLogError(error, action, where);
      }
      if (outcome !== "retry") cluster.forgetPlaces();
    }
    await systemClock.sleep(delay, closing).catch(throwIfOver);
    delay = Math.min(delay * 2, MAX_DELAY_MS);
  }
}
