/**
 * `deno task docs:cli`: writes `docs/cli.md` from the commands' own option tables. With `--check` it
 * only says whether the page is up to date.
 *
 * @module
 */
import { type Command, environmentName } from "../cli/command.ts";
import { writeLine } from "../cli/output.ts";
import { commands } from "../cli/registry.ts";
import { join, ROOT } from "./paths.ts";

/** The reference as Markdown. */
export function commandReference(all: readonly Command[]): string {
  return [
    "# The command line",
    "",
    "Made by `deno task docs:cli` from the option tables of the commands.",
    "",
    "`deno task COMMAND --help` shows the same. Every option has an environment variable; the flag wins.",
    "A switch is turned off with `--no-NAME`; in the environment it is `true` or `false`. An option that",
    "may be given several times takes several values from the environment, separated by blanks.",
    "",
    "Exit codes: 0 done, 1 failed, 2 wrong use. What was asked for goes to standard output; messages for",
    "people and errors go to standard error.",
    ...all.flatMap(section),
    "",
  ].join("\n");
}

function section(command: Command): string[] {
  const usage = ["deno task", command.name, command.positionals, "[OPTIONS]"];
  const rows = Object.entries(command.options).map(([name, option]) => {
    const flag = option.switch ? `--${name}` : `--${name} ${option.value ?? "VALUE"}`;
    const cells = [
      `\`${flag}\`${option.multiple ? " (several)" : ""}`,
      `\`${environmentName(name)}\``,
      option.default === undefined ? "" : `\`${String(option.default)}\``,
      option.help,
    ];
    return `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
  });
  return [
    "",
    `## ${command.name}`,
    "",
    command.summary,
    "",
    "```sh",
    usage.filter((part) => part).join(" "),
    "```",
    ...(rows.length === 0 ? [] : [
      "",
      "| option | environment variable | default | meaning |",
      "| --- | --- | --- | --- |",
      ...rows,
    ]),
  ];
}

/** Markdown as `deno fmt` lays it out. */
export async function formatted(markdown: string): Promise<string> {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["fmt", "--ext", "md", "-"],
    cwd: ROOT,
    stdin: "piped",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(markdown));
  await writer.close();
  const { success, stdout } = await child.output();
  if (!success) throw new Error("Cannot format the reference");
  return new TextDecoder().decode(stdout);
}

if (import.meta.main) {
  const file = join(ROOT, "docs", "cli.md");
  const all = await Promise.all(Object.values(commands).map(({ load }) => load()));
  const text = await formatted(commandReference(all));
  if (!Deno.args.includes("--check")) await Deno.writeTextFile(file, text);
  else if (await Deno.readTextFile(file) !== text) {
    writeLine(Deno.stderr, "docs/cli.md is out of date: run deno task docs:cli");
    Deno.exit(1);
  }
}
