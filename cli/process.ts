// Handles signals and uncaught errors of the process.
import { systemClock } from "../runtime/base/clock.ts";
import { messageOf } from "../runtime/base/errors.ts";
import { printable } from "../runtime/base/mask.ts";
import { aborted, waitAtMost } from "../runtime/base/wait.ts";
import { laneNow } from "../runtime/executor/pulse.ts";
import { describeFailure } from "./fault.ts";
import type { Output } from "./output.ts";

/** Conventional exit code of a program ended by Ctrl-C. */
const EXIT_INTERRUPTED = 130;
const EXIT_FAILED = 1;
/**
 * Repeated signals within this time count as one: systemd and `timeout` signal every process of a group, and
 * a parent forwards the signal.
 */
const SAME_SIGNAL_MS = 500;
/** How long a process that was stopped or has failed waits for a reader that pauses. */
const LONGEST_FLUSH_MS = 3_000;

const listeners = new Map<Deno.Signal, () => void>();

/**
 * Aborts the returned controller on the first SIGINT or SIGTERM; a second one ends the process. An uncaught
 * error is printed to standard error and ends the process with 1, unless it belongs to a query.
 */
export function guardProcess(output: Output, now = () => performance.now()): AbortController {
  const stop = new AbortController();
  let first = { name: "", at: 0 };
  const signals: Deno.Signal[] = Deno.build.os === "windows"
    ? ["SIGINT", "SIGBREAK"]
    : ["SIGINT", "SIGTERM"];
  for (const name of signals) {
    const listener = () => {
      if (name === first.name && now() - first.at < SAME_SIGNAL_MS) return;
      if (stop.signal.aborted) Deno.exit(EXIT_INTERRUPTED);
      first = { name, at: now() };
      stop.abort(new DOMException(`Stopped by ${name}`, "AbortError"));
    };
    listeners.set(name, listener);
    Deno.addSignalListener(name, listener);
  }
  globalThis.addEventListener("unhandledrejection", (event) => {
    event.preventDefault();
    // An unhandled rejection of a query (`--executors 0`) must not end the others.
    if (laneNow() === 0) return fail(output, event.reason);
    output.say(printable(`Uncaught error of a query: ${messageOf(event.reason)}`));
  });
  globalThis.addEventListener("error", (event) => {
    event.preventDefault();
    fail(output, event.error ?? event.message);
  });
  return stop;
}

/** From now on a signal ends the process at once: for work that holds the thread and has nothing to finish. */
export function endOnSignals(): void {
  for (const [name, listener] of listeners) Deno.removeSignalListener(name, listener);
}

/**
 * Ends the process when all its lines are written, but soon after the signal: with the code, or with that of
 * a failure that did not end it yet.
 */
export async function endProcess(
  code: number,
  output: Output,
  signal: AbortSignal,
): Promise<never> {
  const flushed = output.flush();
  const late = aborted(signal).then(() => waitAtMost(LONGEST_FLUSH_MS, flushed, systemClock));
  await Promise.race([flushed, late]);
  Deno.exit(Deno.exitCode || code);
}

function fail(output: Output, failure: unknown): void {
  Deno.exitCode = EXIT_FAILED;
  output.say(printable(describeFailure(failure, { stack: true })));
  waitAtMost(LONGEST_FLUSH_MS, output.flush(), systemClock).then(() => Deno.exit(EXIT_FAILED));
}
