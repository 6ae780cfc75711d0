// Framelane's command line: `deno task COMMAND ARGS`.
import { dispatch } from "./cli/dispatch.ts";
import { writeLine } from "./cli/output.ts";
import { terminalColumns } from "./cli/progress_bar.ts";
import { guardProcess } from "./cli/process.ts";
import { commands } from "./cli/registry.ts";
import { logToStandardError } from "./runtime/base/error_console.ts";
import { printable } from "./runtime/base/mask.ts";
import project from "./deno.json" with { type: "json" };

logToStandardError();
const stop = guardProcess();

Deno.exit(
  await dispatch(Deno.args, {
    commands,
    environment: (name) => Deno.env.get(name),
    columns: terminalColumns(),
    version: `framelane ${project.version}, deno ${Deno.version.deno}`,
    context: {
      signal: stop.signal,
      print(line) {
        if (!writeLine(Deno.stdout, printable(line))) {
          stop.abort(new Error("The output was closed"));
        }
      },
      say(line) {
        writeLine(Deno.stderr, printable(line));
      },
    },
  }),
);
