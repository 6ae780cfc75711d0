/**
 * Results as files: a table for people, figures for programs, plots. Each says on which machine, when
 * and by which command it was made.
 *
 * @module
 */
import { join } from "node:path";
import os from "node:os";

/** The machine and its load, in a line. */
export function machine(): string {
  const model = os.cpus()[0]?.model.trim() || "unknown processor";
  const gigabytes = Math.round(os.totalmem() / 1024 ** 3);
  const load = os.loadavg()[0]!.toFixed(1);
  return `${navigator.hardwareConcurrency} cores (${model}), ${gigabytes} GiB, ${os.type()}, ` +
    `Deno ${Deno.version.deno}, load ${load} when written`;
}

/** What a benchmark found. */
export interface Report {
  /** Name of the files, without ending. */
  readonly name: string;
  readonly title: string;
  /** What was typed, e.g. `deno task bench start`. */
  readonly command: string;
  /** Markdown. */
  readonly lines: readonly string[];
  readonly data: unknown;
  /** SVG texts by file name without ending. */
  readonly plots?: Readonly<Record<string, string>>;
}

/** Writes `NAME.md`, `NAME.json` and the plots into a folder. */
export async function writeReport(
  folder: string,
  { name, title, command, lines, data, plots = {} }: Report,
): Promise<void> {
  const on = machine();
  const at = new Date().toISOString().slice(0, 16).replace("T", " ");
  await Deno.mkdir(folder, { recursive: true });
  const pictures = Object.keys(plots).map((plot) => `![${plot}](${plot}.svg)`);
  await Deno.writeTextFile(
    join(folder, `${name}.md`),
    [`# ${title}`, `\`${command}\`, ${at} UTC, ${on}.`, lines.join("\n"), ...pictures].join(
      "\n\n",
    ) + "\n",
  );
  await Deno.writeTextFile(
    join(folder, `${name}.json`),
    JSON.stringify({ command, at, machine: on, ...data as object }, null, 2) + "\n",
  );
  for (const [plot, text] of Object.entries(plots)) {
    await Deno.writeTextFile(join(folder, `${plot}.svg`), text);
  }
}

/** A Markdown table. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  return [line(head), line(head.map(() => "---")), ...rows.map(line)];
}
