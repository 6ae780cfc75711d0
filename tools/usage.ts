// What every developer task does with `--help`, and with options that it does not know.
import { wrapped } from "../cli/command.ts";
import { writeLine } from "../cli/output.ts";
import { terminalColumns } from "../cli/progress_bar.ts";

/**
 * Ends the program with the usage, exit code 0, where help is asked for; with exit code 2 where an option is
 * none of `known`. What follows `--` is not looked at.
 *
 * @param usage the command line
 * @param about what it does
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
