// Results as files: a table and plots. Each says on which machine, when and by which command it was
// made.
import { join } from "node:path";
import os from "node:os";
import { print } from "../print.ts";

/** The machine and its load, in a line. */
export function machine(): string {
  const model = os.cpus()[0]?.model.trim() || "unknown processor";
  const gigabytes = Math.round(os.totalmem() / 1024 ** 3);
  const load = os.loadavg()[0]!.toFixed(1);
  return `${navigator.hardwareConcurrency} cores (${model}), ${gigabytes} GiB, ${os.type()}, ` +
    `Deno ${Deno.version.deno}, load ${load} when written`;
}

export interface Report {
  /** Name of the benchmark, and of its file. */
  readonly name: string;
  readonly title: string;
  readonly args: readonly string[];
  /** Markdown. */
  readonly lines: readonly string[];
  /** Where the files go; nowhere when empty. */
  readonly out: string;
  /** Contents of the other files, by name; plots (`.svg`) are shown on the page. */
  readonly files?: Readonly<Record<string, string>>;
}

/** Prints the lines; writes `NAME.md` and the other files into a folder. */
export async function report(
  { name, title, args, lines, out, files = {} }: Report,
): Promise<void> {
  print(lines.join("\n"));
  if (out === "") return;
  const at = new Date().toISOString().slice(0, 16).replace("T", " ");
  const command = ["deno task bench", name, ...args].join(" ");
  const plots = Object.keys(files).filter((file) => file.endsWith(".svg"))
    .map((file) => `![${file.slice(0, -4)}](${file})`);
  const page = [`# ${title}`, `\`${command}\`, ${at} UTC, ${machine()}.`, lines.join("\n")];
  await Deno.mkdir(out, { recursive: true });
  await Deno.writeTextFile(join(out, `${name}.md`), [...page, ...plots].join("\n\n") + "\n");
  for (const [file, text] of Object.entries(files)) {
    await Deno.writeTextFile(join(out, file), text);
  }
}

export function table(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  return [line(head), line(head.map(() => "---")), ...rows.map(line)];
}

/** A CSV file (RFC 4180) whose columns are those of the first row. */
export function csv(rows: readonly Readonly<Record<string, string | number>>[]): string {
  const names = Object.keys(rows[0] ?? {});
  const cell = (value: string | number) =>
    Number.isNaN(value)
      ? ""
      : /[",\r\n]/.test(`${value}`)
      ? `"${`${value}`.replaceAll('"', '""')}"`
      : `${value}`;
  return [names, ...rows.map((row) => names.map((name) => row[name] ?? ""))]
    .map((cells) => cells.map(cell).join(",") + "\n").join("");
}
