import assert from "node:assert/strict";
import { findAllWords, findWords } from "../../tools/words.ts";

Deno.test("Forbidden texts are found with their line", () => {
  const cases: [string, string][] = [
    [`// ${"TO" + "DO"}: later`, "work left for later"],
    [`throw new Error("not ${"imple" + "mented"}")`, "work left for later"],
    [`const path = "/${"work"}/main"`, "a path of one machine"],
    [`cd /${"home"}/anna/x`, "a path of one machine"],
    [`import x from "${"js" + "r"}:@std/path"`, "a registry that is not reachable everywhere"],
    [`deno run ${"--allow" + "-all"} main.ts`, "all permissions"],
    [`deno run -${"A"} main.ts`, "all permissions"],
    [`deno test -q -${"A"}`, "all permissions"],
    [`https://registry.npmjs${".org"}/x`, "the address of a package registry"],
    ["try { x(); } catch " + "{}", "a swallowed error"],
    ["try { x(); } catch (error) " + "{ }", "a swallowed error"],
    [`Deno.test.${"only"}("x", f)`, "a test that is skipped, or that skips others"],
    [`{ sanitizeOps: ${"fal" + "se"} }`, "a test that is skipped, or that skips others"],
  ];
  for (const [text, says] of cases) {
    assert.deepEqual(findWords("a.ts", `\n${text}`), [{ file: "a.ts", line: 2, says }], text);
  }
});

Deno.test("Odd English is found in what users and readers of the product see, not in tests", () => {
  for (
    const odd of [
      "A camera is told",
      "Nobody waits",
      "A camera keeps trying for ever",
      "so many frames",
      "topic made anew",
      "Frames that are no images",
    ]
  ) {
    assert.match(findWords("docs/a.md", odd)[0]?.says ?? "", /^odd English; write instead: /, odd);
    assert.deepEqual(findWords("tests/a_test.ts", odd), []);
  }
  for (
    const plain of [
      "Reported once; everyone else reads on",
      "There is no log, it is no longer open",
      "A row is no taller than the others",
    ]
  ) assert.deepEqual(findWords("cli/a.ts", `// ${plain}`), []);
});

Deno.test("Ordinary texts are left alone", () => {
  const text = [
    "const frameworks = 1; // a hackle, todos",
    'fetch("/homepage/x"); "docs/work/x"; "https://host/work/x"',
    "catch { return undefined; }",
    "DENO -Almost",
  ].join("\n");
  assert.deepEqual(findWords("a.ts", text), []);
});

Deno.test("The repository holds none", async () => {
  assert.deepEqual(await findAllWords(), []);
});

Deno.test("A test may not bound how long work takes, compare two clocks exactly, or take a URL for a path", () => {
  // Written so that this file breaks no rule.
  const found = (line: string, file = "tests/a_test.ts") =>
    findWords(file, `\n${line.replaceAll("[", "(")}`);
  const hasty = [
    "assert.ok(performance.now[) - begun < 2_000);",
    "if (clock.now[) - begun <= 5) return;",
    "assert.ok(stamp <= Date.now[));",
    "await reader.read(1, AbortSignal.timeout[5_000));",
    "await page.waitForURL[/order/, { timeout" + ": 5_000 });",
    "const child = new URL(`child.ts`, import.meta.url)" + ".pathname;",
  ];
  for (const line of hasty) {
    assert.match(found(line)[0]?.says ?? "", /^what fails on another machine; write instead: /);
  }
  const calm = [
    "while (performance.now() < end);",
    "assert.ok(performance.now() - begin >= 11 * 25);",
    "return timestamp <= Date.now() + DRIFT_MS;",
    "await reader.read(1, AbortSignal.timeout(PATIENCE_MS));",
  ];
  for (const line of calm) assert.deepEqual(found(line), [], line);
  assert.deepEqual(found(hasty[0]!, "tests/trials/a_test.ts"), []);
});
