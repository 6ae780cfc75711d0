// What the launcher adds to the start of a command: `deno task queries --help` as it is, and the same
// command started at once with the flags that the launcher works out, in turns.
import { fileURLToPath } from "node:url";
import project from "../deno.json" with { type: "json" };
import { planLaunch } from "../cli/launch/plan.ts";
import { optionsOf } from "./support/options.ts";
import { report, table } from "./support/report.ts";
import { median, spread } from "./support/stats.ts";

const GOAL = 30;
const root = fileURLToPath(new URL("../", import.meta.url)).replace(/\/$/, "");

/** Command lines, as far as the launcher has work with them. */
const COMMANDS: readonly (readonly string[])[] = [
  ["queries", "--help"],
  ["models", "presets"],
];

/** Milliseconds that a run of Deno takes. */
async function timed(args: readonly string[]): Promise<number> {
  const started = performance.now();
  const { success, stderr } = await new Deno.Command(Deno.execPath(), {
    cwd: root,
    args: ["run", "-q", ...args],
    stdin: "null",
    stdout: "null",
  }).output();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
  return performance.now() - started;
}

export async function bench(args: readonly string[]): Promise<void> {
  const { rounds, out } = optionsOf(args, { rounds: 15, out: "" });
  const rows: string[][] = [];
  for (const command of COMMANDS) {
    const environment = (name: string) => Deno.env.get(name);
    const { flags } = planLaunch(command, { base: root, root, environment });
    const launched = [...project.tasks.queries.split(" ").slice(3, -1), ...command];
    const direct = [...flags, "main.ts", ...command];
    const [with_, without]: [number[], number[]] = [[], []];
    // The first round fills the caches of the system.
    for (let round = 0; round <= rounds; round++) {
      const times = [await timed(launched), await timed(direct)] as const;
      if (round === 0) continue;
      with_.push(times[0]);
      without.push(times[1]);
    }
    const share = median(with_.map((ms, i) => ms - without[i]!));
    rows.push([
      command.join(" "),
      spread(with_),
      spread(without),
      share.toFixed(1),
      share <= GOAL ? "reached" : "missed",
    ]);
  }
  const lines = [
    `Milliseconds from start to end, ${rounds} rounds in turns, medians (lowest–highest). Goal: the ` +
    `launcher adds ${GOAL} ms at most.`,
    "",
    ...table(["command", "with the launcher", "without", "difference", ""], rows),
  ];
  await report({ name: "launcher", title: "Start of a command", args, lines, out });
}
