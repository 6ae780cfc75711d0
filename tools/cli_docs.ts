// `deno task docs:cli`: writes `docs/cli.md`, the schema of `framelane.yaml` and the launcher's table
// from the commands' own option tables, and the launcher's file. With `--check` it only says whether
// they are up to date.
import type { Command } from "../cli/command.ts";
import { environmentName } from "../cli/launch/arguments.ts";
import { writeLine } from "../cli/output.ts";
import { commands } from "../cli/registry.ts";
import { configSchema } from "../cli/up/config.ts";
import { SINK_TYPES } from "../runtime/sinks/table.ts";
import { launcherIsCurrent, launchTable, writeLauncher } from "./launch_table.ts";
import { join, ROOT } from "./paths.ts";
import { run } from "./run.ts";
import { checkUsage } from "./usage.ts";

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
    "Exit codes: 0 done, 1 failed, 2 wrong use. Results go to standard output; messages for",
    "people and errors go to standard error.",
    ...all.flatMap(section),
    ...LOGS,
    ...sinks(),
    "",
  ].join("\n");
}

const LOGS = [
  "",
  "## Logs",
  "",
  "| `--log` | meaning |",
  "| --- | --- |",
  "| `embedded:DIR` | a log in a folder of this machine; `embedded:.framelane` by default |",
  "| `embedded:DIR?retention-bytes=N` | bytes that each partition keeps; 1 GiB by default |",
  "| `embedded:DIR?retention-ms=N` | how long frames are kept; 24 hours by default |",
  "| `embedded:DIR?sync=interval\\|always` | when an append is acknowledged: [the embedded log](embedded-log.md) |",
  "| `kafka://HOST:PORT[,HOST:PORT]` | Apache Kafka; `kafka://USER:PASSWORD@HOST:PORT` to log in |",
  "| `kafka://…?tls=true&ca=FILE&cert=FILE&key=FILE&servername=NAME` | TLS, with files of certificates |",
  "| `kafka://…?sasl=plain\\|scram-sha-256\\|scram-sha-512\\|oauthbearer` | how to log in; `token=FILE` for oauthbearer |",
  "| `kafka://…?rack=NAME` | where this client is: replicas of the same rack are read first |",
];

function sinks(): string[] {
  const cell = (text: string) => text.replaceAll("|", "\\|");
  return [
    "",
    "## Sinks",
    "",
    "Options follow the target: `video:out?roll=10m&crf=23`. Those of `webhook` follow a `#`, since its URL may",
    "hold a `?` itself: `webhook:https://example.org/hook#only=alerts`. Requests are signed with the secret in",
    "`FRAMELANE_WEBHOOK_SECRET`: header `x-framelane-signature`. A sink of your own is a module whose default export is",
    "a [`sinkType`](library.md): `./postgres.ts:TABLE?batch=100`.",
    "",
    "| `--sink` | meaning |",
    "| --- | --- |",
    ...SINK_TYPES.flatMap(({ name, target, help, options = {}, mark = "?" }) => {
      const form = target === undefined ? name : `${name}:${target}`;
      return [
        `| \`${form}\` | ${cell(help)} |`,
        ...Object.entries(options).map(([option, { value, help }]) =>
          `| \`${cell(`${form}${mark}${option}=${value}`)}\` | ${cell(help)} |`
        ),
      ];
    }),
  ];
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

/** Text as `deno fmt` lays it out. */
export async function formatted(text: string, kind: "md" | "json" = "md"): Promise<string> {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["fmt", "--ext", kind, "-"],
    cwd: ROOT,
    stdin: "piped",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(text));
  await writer.close();
  const { success, stdout } = await child.output();
  if (!success) throw new Error("Cannot format the reference");
  return new TextDecoder().decode(stdout);
}

if (import.meta.main) {
  checkUsage(
    "deno task docs:cli [--check]",
    "Writes docs/cli.md and the launcher's table from the commands' option tables, and launch.js; --check only compares.",
    ["--check"],
  );
  const all = await Promise.all(Object.values(commands).map(({ load }) => load()));
  const tracked = await run("git", ["ls-files", "--", "queries"], { cwd: ROOT });
  const made = {
    "docs/cli.md": await formatted(commandReference(all)),
    "docs/framelane.schema.json": await formatted(JSON.stringify(configSchema()), "json"),
    "cli/launch/table.json": await formatted(
      JSON.stringify(await launchTable(all, tracked?.stdout.split("\n") ?? [])),
      "json",
    ),
  };
  const stale: string[] = [];
  for (const [name, text] of Object.entries(made)) {
    const file = join(ROOT, name);
    if (!Deno.args.includes("--check")) await Deno.writeTextFile(file, text);
    else if (await Deno.readTextFile(file) !== text) stale.push(name);
  }
  if (!await launcherIsCurrent()) {
    if (Deno.args.includes("--check")) stale.push("launch.js");
    else await writeLauncher();
  }
  for (const name of stale) {
    writeLine(Deno.stderr, `${name} is out of date: run deno task docs:cli`);
  }
  if (stale.length > 0) Deno.exit(1);
}
