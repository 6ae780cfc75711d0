import assert from "node:assert/strict";
import { brokenLines, closingLine, countTests, NO_TESTS } from "../../tools/junit.ts";

const report = `<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="deno test" tests="6" failures="2" errors="0" time="0.008">
    <testsuite name="./t.ts" tests="5" disabled="1" errors="0" failures="2">
        <testcase name="a" classname="./t.ts" time="0.000" line="2" col="6">
        </testcase>
        <testcase name="x &gt; y" classname="./t.ts" time="0.000" line="2" col="6">
        </testcase>
        <testcase name="b" classname="./t.ts" time="0.002" line="2" col="32">
            <failure message="1 test step failed">1 test step failed.</failure>
        </testcase>
        <testcase name="c" classname="./t.ts" time="0.000" line="3" col="6">
            <skipped/>
        </testcase>
        <testcase name="b &gt; s1" classname="./t.ts" time="0.000" line="2" col="65">
        </testcase>
        <testcase name="b &gt; s2" classname="./t.ts" time="0.001" line="2" col="95">
            <failure message="Uncaught">AssertionError: &lt;failure&gt;</failure>
        </testcase>
    </testsuite>
    <testsuite name="./u.ts" tests="1" disabled="0" errors="0" failures="0">
        <testcase name="b &gt; s1" classname="./u.ts" time="0.000" line="2" col="65">
        </testcase>
    </testsuite>
</testsuites>
`;

Deno.test("countTests counts tests, not their steps", () => {
  assert.deepEqual(countTests(report), {
    passed: 3,
    failed: 1,
    ignored: 1,
    broken: [
      { test: "./t.ts: b", says: "1 test step failed.\n\nAssertionError: <failure>" },
      { test: "./t.ts: c", says: "skipped" },
    ],
  });
});

Deno.test("countTests finds nothing in an empty report", () => {
  assert.deepEqual(countTests(""), NO_TESTS);
});

Deno.test("closingLine is what a reader of results looks for", () => {
  assert.equal(closingLine({ passed: 12, failed: 0 }), "12 passed, 0 failed");
});

Deno.test("brokenLines names each failure, and shares the lines among their errors", () => {
  const says = "AssertionError: no\n\n1 !== 2\n    at file:///t.ts:1:2\n    at ext:deno:3:4";
  const one = ["Failed: a", "    AssertionError: no", "    1 !== 2", "        at file:///t.ts:1:2"];
  assert.deepEqual(brokenLines([{ test: "a", says }]), one);
  const many = Array.from({ length: 20 }, () => ({ test: "a", says }));
  assert.deepEqual(brokenLines(many), many.flatMap(() => one.slice(0, 2)));
  const short = brokenLines([{ test: "a", says }], 3);
  assert.deepEqual(short, one.filter((_, i) => i !== 2), "the place is never cut off");
  assert.equal(brokenLines([...many, ...many, ...many]).length, 60);
});
