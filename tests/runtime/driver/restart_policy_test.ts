import assert from "node:assert/strict";
import { type Failure, nextStart } from "../../../runtime/driver/lane_failures.ts";

const failure = (
  over: Omit<Partial<Failure>, "error"> & { code?: string; retryable?: boolean } = {},
): Failure => {
  const { code, retryable = false, ...rest } = over;
  return {
    error: { name: "Error", message: "no", retryable, ...(code !== undefined ? { code } : {}) },
    failures: 0,
    ranMs: 1000,
    finite: false,
    member: false,
    ...rest,
  };
};

Deno.test("a query that fails waits twice as long each time, up to a limit", () => {
  const delays = (retryable: boolean) =>
    Array.from(
      { length: 9 },
      (_, failures) => nextStart(failure({ failures, retryable }))!.delayMs,
    );
  assert.deepEqual(delays(false), [1000, 2000, 4000, 8000, 16_000, ...Array(4).fill(30_000)]);
  assert.deepEqual(delays(true), [100, 200, 400, 800, ...Array(5).fill(1000)]);
});

Deno.test("one that ran for a minute has recovered", () => {
  assert.deepEqual(nextStart(failure({ failures: 7, ranMs: 61_000 })), {
    delayMs: 1000,
    failures: 1,
  });
});

Deno.test("what a restart cannot mend ends the query", () => {
  for (
    const code of ["OFFSET_OUT_OF_RANGE", "CHECKPOINT_CORRUPT", "TOO_LARGE", "OPERATOR_FAILED"]
  ) {
    assert.equal(nextStart(failure({ code, retryable: true })), undefined, code);
  }
  assert.equal(nextStart(failure({ finite: true })), undefined);
  assert.equal(nextStart(failure({ finite: true, retryable: true, failures: 20 })), undefined);
  assert.equal(nextStart(failure({ finite: true, retryable: true }))?.delayMs, 100);
});

Deno.test("one that was fenced starts again only where a group may give the partition back", () => {
  for (const code of ["FENCED", "TAKEN_OVER"]) {
    assert.equal(nextStart(failure({ code })), undefined);
    assert.equal(nextStart(failure({ code, member: true, finite: true }))?.failures, 1);
  }
});
