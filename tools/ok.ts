// `deno task ok`: the complete gate. Runs all static checks, two at a time, then the tests. Ends
// with the line `N passed, N failed`, in which a failed check counts. `--no-tests` skips the tests;
// `--fix` fixes what it can.
import { writeLine } from "../cli/output.ts";
import project from "../deno.json" with { type: "json" };
import { circles, importsOf, violations } from "./imports.ts";
import { brokenLines, closingLine, NO_TESTS } from "./junit.ts";
import { kernelFaults } from "./kernels.ts";
import { ROOT } from "./paths.ts";
import { documentationFaults } from "./public_docs.ts";
import { AT_ONCE, inParallel, run } from "./run.ts";
import { runTests } from "./test.ts";
import { checkUsage } from "./usage.ts";
import { longFiles, missingNames, readPages } from "./structure.ts";
import { importFaults } from "./versions.ts";
import { findAllWords, repositoryFiles } from "./words.ts";

interface Outcome {
  readonly state: "ok" | "failed" | "skipped";
  /** Its findings, or why it was skipped. */
  readonly says: string;
}

interface Check {
  readonly name: string;
  check(): Promise<Outcome>;
}

interface Row extends Outcome {
  readonly name: string;
  readonly seconds: number;
}

const print = (line: string): void => void writeLine(Deno.stdout, line);

checkUsage(
  "deno task ok [--no-tests] [--fix]",
  "Runs every check of the gate, then all tests. --fix fixes what it can. " +
    "Exit codes: 0 all passed, 1 some failed, 2 wrong use.",
  ["--no-tests", "--fix"],
);

const fix = Deno.args.includes("--fix");
const deno = Deno.execPath();

async function ofCommand(args: readonly string[]): Promise<Outcome> {
  const ended = await run(deno, args, { cwd: ROOT });
  return { state: ended?.code === 0 ? "ok" : "failed", says: ended?.output.trim() ?? "" };
}

function ofFindings(findings: readonly string[]): Outcome {
  return { state: findings.length === 0 ? "ok" : "failed", says: findings.join("\n") };
}

async function checkImports(): Promise<Outcome> {
  const files = await repositoryFiles();
  const imports = await importsOf(files.filter((file) => file.endsWith(".ts")));
  return ofFindings([
    ...violations(imports).map(({ from, line, to, rule }) =>
      `${from}:${line} imports ${to}: ${rule}`
    ),
    ...circles(imports).map((circle) => `Circle of imports: ${circle.join(" → ")}`),
  ]);
}

async function checkStructure(): Promise<Outcome> {
  const files = await repositoryFiles();
  const sources = await readPages(files.filter((file) => file.endsWith(".ts")));
  const known = {
    files,
    sources: sources.filter(({ file }) => !file.startsWith("tests/")).map(({ text }) => text)
      .join("\n"),
  };
  const pages = await readPages(files.filter((file) => file.endsWith(".md")));
  return ofFindings([
    ...longFiles(sources),
    ...pages.flatMap((page) =>
      missingNames(page, { ...known, names: page.file === "docs/architecture.md" })
    ),
  ]);
}

async function checkExamples(): Promise<Outcome> {
  const files = (await repositoryFiles()).filter((file) =>
    /^(runtime|cameras|queries|viewer|cli)\/.*\.ts$|^(README|docs\/.*)\.md$/.test(file) &&
    !file.startsWith("viewer/page/")
  );
  return await ofCommand(["check", "--quiet", "--doc-only", ...files]);
}

/** Known vulnerabilities of the dependencies, if the advisory service can be reached. */
async function audit(): Promise<Outcome> {
  const ended = await run(deno, ["audit", "--level=high"], { cwd: ROOT });
  if (ended?.code === 0) return { state: "ok", says: "" };
  const unreachable =
    /error sending request|invalid peer certificate|dns error|timed out|status (4|5)\d\d/i;
  return unreachable.test(ended?.output ?? "")
    ? { state: "skipped", says: "the advisory service cannot be reached" }
    : { state: "failed", says: ended?.output.trim() ?? "" };
}

const checks: readonly Check[] = [
  { name: "types", check: () => ofCommand(["check", "--quiet", "--frozen", "--no-remote", "."]) },
  {
    name: "format",
    check: () => ofCommand(fix ? ["fmt", "--quiet"] : ["fmt", "--check", "--quiet"]),
  },
  { name: "lint", check: () => ofCommand(["lint", "--quiet", ...(fix ? ["--fix"] : [])]) },
  { name: "import directions", check: checkImports },
  { name: "structure", check: checkStructure },
  {
    name: "words",
    check: async () =>
      ofFindings(
        (await findAllWords()).map(({ file, line, says }) => `${file}:${line} holds ${says}`),
      ),
  },
  { name: "dependencies", check: () => Promise.resolve(ofFindings(importFaults(project.imports))) },
  { name: "kernels", check: async () => ofFindings(await kernelFaults()) },
  {
    name: "public documentation",
    check: async () => ofFindings(await documentationFaults(Object.values(project.exports))),
  },
  { name: "examples", check: checkExamples },
  {
    name: "command reference",
    check: () => ofCommand(["task", "--quiet", "docs:cli", ...(fix ? [] : ["--check"])]),
  },
  { name: "audit", check: audit },
];

async function measure({ name, check }: Check): Promise<Row> {
  const start = performance.now();
  const outcome = await check().catch((error: unknown): Outcome => ({
    state: "failed",
    says: error instanceof Error ? error.message : String(error),
  }));
  return { name, ...outcome, seconds: (performance.now() - start) / 1000 };
}

function table(rows: readonly Row[]): string {
  const width = Math.max(...rows.map(({ name }) => name.length));
  return rows.map(({ name, state, seconds, says }) =>
    `${name.padEnd(width)}  ${seconds.toFixed(1).padStart(6)} s  ${state}${
      state === "skipped" ? `: ${says}` : ""
    }`
  ).join("\n");
}

const rows = await inParallel(checks, AT_ONCE, measure);
const broken = rows.filter(({ state }) => state === "failed");
for (const { name, says } of broken) print(`\n${name}:\n${says}`);

const start = performance.now();
let counts = NO_TESTS;
if (!Deno.args.includes("--no-tests")) {
  counts = await runTests({ filters: [], typesChecked: true });
  const seconds = (performance.now() - start) / 1000;
  rows.push({ name: "tests", state: counts.failed === 0 ? "ok" : "failed", says: "", seconds });
}
print(`\n${table(rows)}\n`);
const faults = broken.map(({ name, says }) => ({ test: name, says }));
for (const line of brokenLines([...faults, ...counts.broken])) print(line);
const failed = counts.failed + broken.length;
print(closingLine({ passed: counts.passed, failed }));
Deno.exit(failed === 0 ? 0 : 1);
