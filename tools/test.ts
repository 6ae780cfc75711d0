// `deno task test [--unit] [--folder=DIR] [FILTER…] [-- DENO TEST FLAGS]`: prepares what the tests
// need, runs them, and ends with the line `N passed, N failed`.
import { parseArgs } from "node:util";
import { writeLine } from "../cli/output.ts";
import { BROKER_VARIABLE, startTestBroker, type TestBroker } from "./broker.ts";
import { ifThere } from "../runtime/base/folders.ts";
import { given } from "../runtime/base/options.ts";
import { ensure } from "./debian.ts";
import {
  addCounts,
  brokenLines,
  closingLine,
  countTests,
  NO_TESTS,
  type TestCounts,
} from "./junit.ts";
import { join, relative, resolve, ROOT } from "./paths.ts";
import { AT_ONCE, inParallel, run } from "./run.ts";
import { chosen, isUnit, needsBroker, needsOf, spread, testFiles } from "./suite.ts";
import { checkUsage } from "./usage.ts";

// Permissions of the tests: every kind, by name; the product itself has far fewer. Playwright reads
// a file below /proc that Deno only permits with all permissions, so it is hidden.
const PERMISSIONS = [
  ...["read", "write", "net", "env", "sys", "ffi", "run"].map((kind) => `--allow-${kind}`),
  "--ignore-read=/proc/sys/fs/binfmt_misc/WSLInterop,/run/WSL",
];

// Files per process of `deno test`. Several processes run at once, since tests mostly wait; and a
// dynamic import in a graph of some 200 test files overflows the stack of Deno 2.9.6.
const FILES_AT_ONCE = 36;
const SIGNALS = ["SIGINT", "SIGTERM"] as const;
const say = (line: string): void => void writeLine(Deno.stderr, line);
const print = (line: string): void => void writeLine(Deno.stdout, line);

export interface TestRun {
  readonly filters: readonly string[];
  /** Run only tests that need nothing but Deno. */
  readonly unit?: boolean;
  /** More flags for `deno test`. */
  readonly flags?: readonly string[];
  readonly folder?: string;
  /** True if the types of all files were checked already. */
  readonly typesChecked?: boolean;
}

export function parseArguments(argv: readonly string[]): TestRun {
  const end = argv.indexOf("--");
  const { values: { unit = false, folder }, positionals } = parseArgs({
    args: end < 0 ? [...argv] : argv.slice(0, end),
    options: { unit: { type: "boolean" }, folder: { type: "string" } },
    allowPositionals: true,
  });
  return {
    unit,
    filters: positionals,
    ...(folder === undefined ? {} : { folder: resolve(folder) }),
    flags: end < 0 ? [] : argv.slice(end + 1),
  };
}

/** A failure outside of a test. */
const FAILED: TestCounts = { ...NO_TESTS, failed: 1 };

/** Runs the tests. A run that could not start, crashed, or had no test is one failure. */
export async function runTests({
  filters,
  unit = false,
  flags = [],
  folder = join(ROOT, "tests"),
  typesChecked = false,
}: TestRun): Promise<TestCounts> {
  const files = chosen(await testFiles(folder), filters, ROOT)
    .filter((file) => !unit || isUnit(file));
  if (files.length === 0) {
    say(`No test file matches ${filters.map((filter) => JSON.stringify(filter)).join(" ")}`);
    return FAILED;
  }
  const stopping = new AbortController();
  const stop = () => stopping.abort();
  for (const signal of SIGNALS) Deno.addSignalListener(signal, stop);
  let broker: TestBroker | undefined;
  try {
    await ensure(needsOf(files), { say });
    if (files.some(needsBroker)) {
      broker = await startTestBroker(say);
      say(broker.way);
    }
    const parts = spread(files.map((file) => relative(ROOT, file)), FILES_AT_ONCE);
    const { signal } = stopping;
    if (parts.length === 1) {
      return (await denoTest(files, flags, { broker, signal, output: "inherit" })).counts;
    }
    if (!typesChecked) {
      const types = await run(Deno.execPath(), ["check", "--quiet", ...files], { cwd: ROOT });
      if (types?.code !== 0) {
        say(types?.output ?? "");
        return FAILED;
      }
    }
    let total = NO_TESTS;
    await inParallel(parts, AT_ONCE, async (part) => {
      if (signal.aborted || (total.failed > 0 && flags.includes("--fail-fast"))) return;
      const how = { broker, signal, output: "piped" } as const;
      const { counts, printed } = await denoTest(part, ["--no-check", ...flags], how);
      print(printed);
      total = addCounts(total, counts);
    });
    if (!signal.aborted) return total;
    say("Stopped by a signal: not all tests have run");
    return addCounts(total, FAILED);
  } catch (error) {
    say(error instanceof Error ? error.message : String(error));
    return FAILED;
  } finally {
    await broker?.stop();
    for (const signal of SIGNALS) Deno.removeSignalListener(signal, stop);
  }
}

interface How {
  readonly broker: TestBroker | undefined;
  readonly signal: AbortSignal;
  readonly output: "inherit" | "piped";
}

async function denoTest(
  files: readonly string[],
  flags: readonly string[],
  { broker, signal, output }: How,
): Promise<{ counts: TestCounts; printed: string }> {
  const folder = await Deno.makeTempDir({ prefix: "framelane-test-" });
  const [report, failures] = [join(folder, "report.xml"), join(folder, "failures.txt")];
  try {
    const ended = await new Deno.Command(Deno.execPath(), {
      cwd: ROOT,
      args: [
        "test",
        "--no-prompt",
        // Off by default in Deno; deno.json turns them on for single runs.
        "--sanitize-ops",
        "--sanitize-resources",
        "--trace-leaks",
        `--junit-path=${report}`,
        `--preload=${join(ROOT, "tools/failures.ts")}`,
        `--preload=${join(ROOT, "tests/support/examples.ts")}`,
        ...PERMISSIONS,
        ...flags,
        ...files,
      ],
      env: {
        FRAMELANE_TEST_FAILURES: failures,
        ...(output === "piped" ? { NO_COLOR: "1" } : {}),
        ...(broker === undefined ? {} : { [BROKER_VARIABLE]: broker.address }),
      },
      signal,
      stdin: "null",
      stdout: output,
      stderr: output,
    }).output();
    const printed = output === "inherit"
      ? ""
      : [ended.stdout, ended.stderr].map((bytes) => new TextDecoder().decode(bytes)).join("");
    const [written, failed] = await Promise.all(
      [report, failures].map((path) => ifThere(Deno.readTextFile(path))),
    );
    const counts = written === undefined ? undefined : countTests(written);
    const { code, signal: killed } = ended;
    const end = { code, signal: killed, output: printed, ...given({ failed }) };
    return { counts: settle(counts, end), printed };
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** How `deno test` ended. */
interface TestEnd {
  readonly code: number;
  readonly signal?: Deno.Signal | null;
  readonly output?: string;
  /** The assertions that have failed: known even if the process died before its report. */
  readonly failed?: string;
}

/** An error outside of any test, as `deno test` prints it. */
const UNCAUGHT = /^(\S+) \(uncaught error\)\nerror: ([\s\S]*?)\nThis error was not caught/gm;

/** Adds to the counts of a report what it does not hold. */
export function settle(
  report: TestCounts | undefined,
  { code, signal, output = "", failed: assertions = "" }: TestEnd,
): TestCounts {
  const counts = report ?? NO_TESTS;
  const uncaught = [...output.matchAll(UNCAUGHT)]
    .map(([, test, says]) => ({ test: test!, says: says! }));
  // A skipped test proves nothing, so it counts as failed.
  const failed = counts.failed + counts.ignored + uncaught.length;
  const broken = [...counts.broken, ...uncaught];
  if (failed > 0 || (code === 0 && counts.passed > 0)) return { ...counts, failed, broken };
  const ends = output.split("\n").filter((line) => / \.\.\. FAILED/.test(line));
  const lastOf = (text: string, most: number) => text.trimEnd().split("\n").slice(-most);
  const last = [...ends, ...lastOf(assertions, 20), ...lastOf(output, 5)];
  const test = `deno test ended with ${signal ?? code}, outside of a test`;
  return { ...counts, failed: 1, broken: [{ test, says: last.join("\n") }] };
}

if (import.meta.main) {
  checkUsage(
    "deno task test [FILTER…] [-- FLAGS OF deno test]",
    "Runs all tests, or those whose path contains a FILTER, with a real Kafka where they need it. " +
      "test:unit skips those that need anything but Deno; test:faults, test:fences, test:recovery, test:soak and " +
      "test:wall run the long trials. Exit codes: 0 all passed, 1 some failed, 2 wrong use.",
    ["--unit", "--folder"],
  );
  let counts = FAILED;
  try {
    counts = await runTests(parseArguments(Deno.args));
  } catch (error) {
    say(error instanceof Error ? error.message : String(error));
  }
  for (const line of brokenLines(counts.broken)) print(line);
  print(closingLine(counts));
  Deno.exit(counts.failed === 0 ? 0 : 1);
}
