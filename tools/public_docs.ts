// Checks that all exports are documented, with their methods and the types that they use.
import { ROOT } from "./paths.ts";
import { run } from "./run.ts";

/** A fault that Deno finds: what kind, its place, and the line with a mark below the name. */
const FAULT = /error\[([\w-]+)\]: (.*)\n\s*--> (\S+)\n[\s|]*\n *\d+ \| (.*)\n[ |]*/g;

/** What needs a description: an export, or a method; not a constructor or a field. */
const DESCRIBED = /^export |^ +(?!constructor\b|private |#)(?:[a-z]+ )*\*?\w+(?:<.*>)?\(/;

/** The faults in the public documentation of some modules, which may refer to each other. */
export async function documentationFaults(modules: readonly string[]): Promise<string[]> {
  const env = { NO_COLOR: "1" };
  const lint = await run(Deno.execPath(), ["doc", "--lint", ...modules], { cwd: ROOT, env });
  if (lint?.code !== 0 && !/\berror\[/.test(lint?.output ?? "")) {
    return [`Cannot read the documentation of ${modules.join(", ")}: ${lint?.output}`];
  }
  return [...lint!.output.matchAll(FAULT)].flatMap(([, kind, says, place, line]) => {
    const where = place!.replace(`${ROOT}/`, "");
    if (kind === "private-type-ref") return [`${where} ${says}`];
    if (kind !== "missing-jsdoc" || !DESCRIBED.test(line!)) return [];
    return [`${where} ${line!.trim()} has no description`];
  });
}
