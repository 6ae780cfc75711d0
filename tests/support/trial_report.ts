// The rows of the table in `docs/reliability.md`, as the trials print them.
import assert from "node:assert/strict";
import { writeLine } from "../../cli/output.ts";
import type { Verdict } from "./checker.ts";

/** What a trial found. */
export interface TrialRow {
  readonly fault: string;
  readonly repetitions: number;
  readonly verdict: Pick<Verdict, "lost" | "doubled" | "reordered">;
  /** From the end of the fault to the first frame after it, one for each repetition. */
  readonly recoveryMs?: readonly number[];
}

/** File that rows are added to, beside being printed. */
const REPORT_VARIABLE = "FRAMELANE_TEST_REPORT";

/** A line of a trial: where it is, so that one that hangs shows where. */
export function say(line: string): void {
  writeLine(Deno.stdout, line);
}

/** The longest recovery of a trial; the gate's short versions bound no time. */
const RECOVERY_MS = 30_000;

/** Prints a row: fault, repetitions, lost, doubled, reordered, recovery time (median, worst). */
export function reportRow({ fault, repetitions, verdict, recoveryMs = [] }: TrialRow): void {
  const sorted = [...recoveryMs].sort((a, b) => a - b);
  const seconds = (ms: number | undefined) => (ms! / 1000).toFixed(1);
  const recovery = sorted.length === 0
    ? "–"
    : `${seconds(sorted[sorted.length >> 1])} s, worst ${seconds(sorted.at(-1))} s`;
  const { lost, doubled, reordered } = verdict;
  const row = `| ${fault} | ${repetitions} | ${lost} | ${doubled} | ${reordered} | ${recovery} |`;
  say(row);
  const file = Deno.env.get(REPORT_VARIABLE);
  if (file !== undefined) Deno.writeTextFileSync(file, `${row}\n`, { append: true });
  assert.ok((sorted.at(-1) ?? 0) <= RECOVERY_MS, row);
}
