// What every developer task does with `--help`, and with options that it does not know.
import { writeLine } from "../cli/output.ts";

/**
 * Ends the program with the usage, exit code 0, where help is asked for; with exit code 2 where an option is
 * none of `known`. What follows `--` is not looked at.
 *
 * @param usage the command line, then what it does
 */
export function checkUsage(usage: string, known: readonly string[], argv = Deno.args): void {
  const end = argv.indexOf("--");
  const own = end < 0 ? argv : argv.slice(0, end);
  if (own.includes("--help") || own.includes("-h")) {
    writeLine(Deno.stdout, usage);
    Deno.exit(0);
  }
  const unknown = own.find((word) => word.startsWith("-") && !known.includes(word.split("=")[0]!));
  if (unknown === undefined) return;
  const accepted = known.length === 0 ? "no option" : known.join(", ");
  writeLine(Deno.stderr, `Unknown option ${unknown}: expected ${accepted}\n${usage}`);
  Deno.exit(2);
}
