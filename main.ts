/**
 * Framelane's command line: `deno task COMMAND ARGS`.
 *
 * @module
 */
import project from "./deno.json" with { type: "json" };
import { dispatch } from "./cli/dispatch.ts";
import { writeLine } from "./cli/output.ts";
import { guardProcess } from "./cli/process.ts";
import { commands } from "./cli/registry.ts";

const stop = guardProcess();

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
