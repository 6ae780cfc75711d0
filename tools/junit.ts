// Reads the JUnit XML reports of `deno test`.

/** The number of tests by result. Steps of a test are not counted separately. */
export interface TestCounts {
  readonly passed: number;
  readonly failed: number;
  readonly ignored: number;
  /** File and name of each test that failed or was skipped. */
  readonly broken: readonly string[];
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

export function countTests(report: string): TestCounts {
  let [passed, failed, ignored] = [0, 0, 0];
  const broken: string[] = [];
  for (const [, file, suite] of report.matchAll(SUITE)) {
    const cases = [...suite!.matchAll(CASE)].map(([, name, body]) => [name!, body ?? ""] as const);
    const names = new Set(cases.map(([name]) => name));
    for (const [name, body] of cases) {
      if (isStep(name, names)) continue;
      const ended = /<(failure|error|skipped)\b/.exec(body)?.[1];
      if (ended === undefined) passed++;
      else {
        if (ended === "skipped") ignored++;
        else failed++;
        broken.push(`${file}: ${unescape(name)}`);
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

/** The name of a step consists of its test, " > " and its own name, in escaped form. */
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
