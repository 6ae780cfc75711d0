// Handles `--help` and unknown options of developer tasks.
import { wrapped } from "../cli/help.ts";
import { writeLine } from "../cli/output.ts";
import { terminalColumns } from "../cli/progress_bar.ts";

/**
 * Prints the usage and exits with 0 for `--help`, or with 2 for an option that is not in `known`.
 * Ignores arguments after `--`.
 *
 * @param usage the command line
 * @param about what the task does
 */
export function checkUsage(
  usage: string,
  about: string,
  known: readonly string[],
  argv = Deno.args,
): void {
  const end = argv.indexOf("--");
  const own = end < 0 ? argv : argv.slice(0, end);
  const columns = terminalColumns();
  const help = [...wrapped(usage, columns), "", ...wrapped(about, columns)].join("\n");
  if (own.includes("--help") || own.includes("-h")) {
    writeLine(Deno.stdout, help);
    Deno.exit(0);
  }
  const unknown = own.find((word) => word.startsWith("-") && !known.includes(word.split("=")[0]!));
  if (unknown === undefined) return;
  const accepted = known.length === 0 ? "no option" : known.join(", ");
  writeLine(Deno.stderr, `Unknown option ${unknown}: expected ${accepted}\n${help}`);
  Deno.exit(2);
}
