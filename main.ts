/**
 * Framelane's command line: `deno task COMMAND ARGS`.
 *
 * @module
 */
import project from "./deno.json" with { type: "json" };
import { dispatch, EXIT } from "./cli/dispatch.ts";
import { describeFailure } from "./cli/fault.ts";
import { writeLine } from "./cli/output.ts";
import { commands } from "./cli/registry.ts";

/** What a shell shows of a program that the second Ctrl-C ended. */
const EXIT_INTERRUPTED = 130;

const stop = new AbortController();

for (const name of ["SIGINT", "SIGTERM"] as const) {
  Deno.addSignalListener(name, () => {
    if (stop.signal.aborted) Deno.exit(EXIT_INTERRUPTED);
    stop.abort(new DOMException(`Stopped by ${name}`, "AbortError"));
  });
}

function fatal(failure: unknown): never {
  writeLine(Deno.stderr, describeFailure(failure, { stack: true }));
  Deno.exit(EXIT.failed);
}
globalThis.addEventListener("unhandledrejection", (event) => {
  event.preventDefault();
  fatal(event.reason);
});
globalThis.addEventListener("error", (event) => {
  event.preventDefault();
  fatal(event.error ?? event.message);
});

Deno.exit(
  await dispatch(Deno.args, {
    commands,
    environment: (name) => Deno.env.get(name),
    version: `framelane ${project.version}, deno ${Deno.version.deno}`,
    context: {
      signal: stop.signal,
      print(line) {
        if (!writeLine(Deno.stdout, line)) {
          stop.abort(new Error("Nobody reads the output any more"));
        }
      },
      say(line) {
        writeLine(Deno.stderr, line);
      },
    },
  }),
);
