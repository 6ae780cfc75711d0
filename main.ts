// Framelane's command line: `deno task COMMAND ARGS`.
import { dispatch } from "./cli/dispatch.ts";
import { describeFailure } from "./cli/fault.ts";
import { Output } from "./cli/output.ts";
import { terminalColumns } from "./cli/progress_bar.ts";
import { endProcess, guardProcess } from "./cli/process.ts";
import { commands } from "./cli/registry.ts";
import { logToStandardError } from "./runtime/base/error_console.ts";
import { printable } from "./runtime/base/mask.ts";
import project from "./deno.json" with { type: "json" };

logToStandardError();
const output = new Output((error) => {
  if (Deno.exitCode === 0 && !(error instanceof Deno.errors.BrokenPipe)) {
    Deno.exitCode = 1;
    output.say(describeFailure(new Error("Cannot write to standard output", { cause: error })));
  }
  stop.abort(new Error("The output was closed"));
});
const stop = guardProcess(output);

const code = await dispatch(Deno.args, {
  commands,
  environment: (name) => Deno.env.get(name),
  columns: terminalColumns(),
  version: `framelane ${project.version}, deno ${Deno.version.deno}`,
  context: {
    signal: stop.signal,
    print: (line) => output.print(printable(line)),
    say: (line) => output.say(printable(line)),
  },
});
await endProcess(code, output, stop.signal);
