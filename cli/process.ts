// The process around a command: it stops on signals, and nothing fails unseen.
import { messageOf } from "../runtime/base/errors.ts";
import { laneNow } from "../runtime/executor/pulse.ts";
import { describeFailure } from "./fault.ts";
import { printable, writeLine } from "./output.ts";

/** What a shell shows of a program that the second Ctrl-C ended. */
const EXIT_INTERRUPTED = 130;
const EXIT_FAILED = 1;
/**
 * The same signal again within this time is one signal: what ends a service (systemd, `timeout`) sends it to
 * every process of the group, and a parent passes it on.
 */
const SAME_SIGNAL_MS = 500;

/**
 * Aborts the returned controller on the first SIGINT or SIGTERM; the second ends the process at once. A
 * rejection or error that nothing handles is printed on standard error and ends it with 1, but for those of
 * queries.
 */
export function guardProcess(now = () => performance.now()): AbortController {
  const stop = new AbortController();
  let first = { name: "", at: 0 };
  const signals: Deno.Signal[] = Deno.build.os === "windows"
    ? ["SIGINT", "SIGBREAK"]
    : ["SIGINT", "SIGTERM"];
  for (const name of signals) {
    Deno.addSignalListener(name, () => {
      if (name === first.name && now() - first.at < SAME_SIGNAL_MS) return;
      if (stop.signal.aborted) Deno.exit(EXIT_INTERRUPTED);
      first = { name, at: now() };
      stop.abort(new DOMException(`Stopped by ${name}`, "AbortError"));
    });
  }
  globalThis.addEventListener("unhandledrejection", (event) => {
    event.preventDefault();
    // A promise that a query forgot (`--executors 0`) must not end the others.
    if (laneNow() === 0) fail(event.reason);
    const message = `An error that nothing caught, of a query: ${messageOf(event.reason)}`;
    writeLine(Deno.stderr, printable(message));
  });
  globalThis.addEventListener("error", (event) => {
    event.preventDefault();
    fail(event.error ?? event.message);
  });
  return stop;
}

function fail(failure: unknown): never {
  writeLine(Deno.stderr, printable(describeFailure(failure, { stack: true })));
  Deno.exit(EXIT_FAILED);
}
