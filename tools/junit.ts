// Reads the JUnit XML reports of `deno test`.

/** What failed, and what is known of it. */
export interface Broken {
  /** The file and the name of a test that failed or was skipped, or the name of a check. */
  readonly test: string;
  /** The error. */
  readonly says: string;
}

/** The number of tests by result. Steps of a test are not counted separately. */
export interface TestCounts {
  readonly passed: number;
  readonly failed: number;
  readonly ignored: number;
  readonly broken: readonly Broken[];
}

export const NO_TESTS: TestCounts = { passed: 0, failed: 0, ignored: 0, broken: [] };

export function addCounts(a: TestCounts, b: TestCounts): TestCounts {
  return {
    passed: a.passed + b.passed,
    failed: a.failed + b.failed,
    ignored: a.ignored + b.ignored,
    broken: [...a.broken, ...b.broken],
  };
}

const SUITE = /<testsuite\s+name="([^"]*)"[^>]*>([\s\S]*?)<\/testsuite>/g;
const CASE = /<testcase\s+name="([^"]*)"[^>]*?(?:\/>|>([\s\S]*?)<\/testcase>)/g;
const ENDED = /<(failure|error|skipped)\b[^>]*?(?:\/>|>([\s\S]*?)<\/\1>)/;

export function countTests(report: string): TestCounts {
  let [passed, failed, ignored] = [0, 0, 0];
  const broken: Broken[] = [];
  for (const [, file, suite] of report.matchAll(SUITE)) {
    const cases = [...suite!.matchAll(CASE)].map(([, name, body]) => {
      const [, ended, says = ""] = ENDED.exec(body ?? "") ?? [];
      return { name: name!, ended, says };
    });
    const names = new Set(cases.map(({ name }) => name));
    for (const { name, ended } of cases) {
      if (isStep(name, names)) continue;
      if (ended === undefined) passed++;
      else {
        if (ended === "skipped") ignored++;
        else failed++;
        const says = cases.filter((one) => one.name === name || one.name.startsWith(name + STEP));
        broken.push({
          test: `${file}: ${unescape(name)}`,
          says: unescape(says.map((one) => one.says).join("\n").trim()) || ended,
        });
      }
    }
  }
  return { passed, failed, ignored, broken };
}

const ENTITIES: Readonly<Record<string, string>> = {
  "&lt;": "<",
  "&gt;": ">",
  "&amp;": "&",
  "&quot;": '"',
  "&apos;": "'",
};

function unescape(text: string): string {
  return text.replace(/&(lt|gt|amp|quot|apos);/g, (entity) => ENTITIES[entity]!);
}

/** The name of a step consists of its test, this and its own name, in escaped form. */
const STEP = " &gt; ";

function isStep(name: string, names: ReadonlySet<string>): boolean {
  for (let at = name.indexOf(STEP); at >= 0; at = name.indexOf(STEP, at + 1)) {
    if (names.has(name.slice(0, at))) return true;
  }
  return false;
}

export function closingLine({ passed, failed }: Pick<TestCounts, "passed" | "failed">): string {
  return `${passed} passed, ${failed} failed`;
}

/**
 * Failures as the last lines of a run: all by name, each with the beginning of its error, so that
 * they stay readable where only the end of a long output is shown.
 */
export function brokenLines(broken: readonly Broken[], most = 40): string[] {
  const share = Math.max(1, Math.floor(most / Math.max(1, broken.length)));
  return broken.flatMap(({ test, says }) => {
    const lines = says.split("\n")
      .filter((line) => line.trim() !== "" && !/^ +at (?!.*file:)/.test(line));
    // Where it failed is said after the message, however long that is.
    const place = lines.findIndex((line) => /^ +at /.test(line));
    if (place >= share - 1 && share > 2) lines.splice(share - 2, place - share + 2);
    const shown = lines.slice(0, share - 1).map((line) => `    ${line.slice(0, 200)}`);
    return [`Failed: ${test}`, ...shown];
  });
}
