import assert from "node:assert/strict";
import { closingLine, countTests, NO_TESTS } from "../../tools/junit.ts";

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
    broken: ["./t.ts: b", "./t.ts: c"],
  });
});

Deno.test("countTests finds nothing in an empty report", () => {
  assert.deepEqual(countTests(""), NO_TESTS);
});

Deno.test("closingLine is what a reader of results looks for", () => {
  assert.equal(closingLine({ passed: 12, failed: 0 }), "12 passed, 0 failed");
});
