// The options of a benchmark: a table of names and defaults.
import { parseArgs } from "node:util";
import { columnsOf } from "../../cli/help.ts";
import { terminalColumns } from "../../cli/progress_bar.ts";
import { print } from "../print.ts";

/** What `optionsOf` gives: a value of each default's type. */
type Values<T> = {
  [K in keyof T]: T[K] extends number ? number : T[K] extends string ? string : boolean;
};

/**
 * Reads `--name VALUE` (or `--name` and `--no-name` of a boolean). `--help` lists the options and
 * exits 0; an unknown option or a word where a number is expected exits 2.
 */
export function optionsOf<T extends Readonly<Record<string, string | number | boolean>>>(
  args: readonly string[],
  defaults: T,
): Values<T> {
  const entries = Object.entries(defaults);
  if (args.includes("--help") || args.includes("-h")) {
    const rows = entries.map(([name, value]) =>
      [`--${name}`, `default: ${String(value || "none").replaceAll(",", ", ")}`] as const
    );
    for (const line of columnsOf(rows, terminalColumns())) print(line);
    Deno.exit(0);
  }
  try {
    const { values } = parseArgs({
      args: [...args],
      allowNegative: true,
      options: Object.fromEntries(entries.map(([name, value]) => [
        name,
        { type: typeof value === "boolean" ? "boolean" as const : "string" as const },
      ])),
    });
    return Object.fromEntries(entries.map(([name, otherwise]) => {
      const given = values[name] ?? otherwise;
      if (typeof otherwise !== "number") return [name, given];
      if (!(Number(given) >= 0)) {
        throw new TypeError(`Cannot measure with --${name} ${given}: expected a number`);
      }
      return [name, Number(given)];
    })) as Values<T>;
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    Deno.stderr.writeSync(new TextEncoder().encode(`${error.message}\n`));
    Deno.exit(2);
  }
}
