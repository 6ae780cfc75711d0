// Reads what `deno test` reports as JUnit XML.

/** How many tests ended in which way. Steps of a test are part of it and not counted apart. */
export interface TestCounts {
  readonly passed: number;
  readonly failed: number;
  readonly ignored: number;
}

const SUITE = /<testsuite\s+name="([^"]*)"[^>]*>([\s\S]*?)<\/testsuite>/g;
const CASE = /<testcase\s+name="([^"]*)"[^>]*?(?:\/>|>([\s\S]*?)<\/testcase>)/g;

export function countTests(report: string): TestCounts {
  const counts = { passed: 0, failed: 0, ignored: 0 };
  for (const [, , suite] of report.matchAll(SUITE)) {
    const cases = [...suite!.matchAll(CASE)].map(([, name, body]) => [name!, body ?? ""] as const);
    const names = new Set(cases.map(([name]) => name));
    for (const [name, body] of cases) {
      if (isStep(name, names)) continue;
      if (/<(failure|error)\b/.test(body)) counts.failed++;
      else if (/<skipped\b/.test(body)) counts.ignored++;
      else counts.passed++;
    }
  }
  return counts;
}

/** A step is named by its test, " > " and its own name, in escaped form. */
function isStep(name: string, names: ReadonlySet<string>): boolean {
  const separator = " &gt; ";
  for (let at = name.indexOf(separator); at >= 0; at = name.indexOf(separator, at + 1)) {
    if (names.has(name.slice(0, at))) return true;
  }
  return false;
}

export function closingLine({ passed, failed }: Pick<TestCounts, "passed" | "failed">): string {
  return `${passed} passed, ${failed} failed`;
}
