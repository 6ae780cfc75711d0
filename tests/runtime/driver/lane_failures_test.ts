/** What follows from a lane's failures: another start, after how long, or the end. */
import assert from "node:assert/strict";
import {
  checkOperatorErrors,
  type OperatorErrorOption,
} from "../../../runtime/definition/operator_error.ts";
import { executorError, LaneFailures } from "../../../runtime/driver/lane_failures.ts";
import type { LoadedQuery, PlainError } from "../../../runtime/executor/protocol.ts";

const PLACE = { query: "q", topic: "t", partition: 3 };

function queryOf(onOperatorError: OperatorErrorOption, finite = false): LoadedQuery {
  return {
    plan: "",
    finite,
    steps: ["first", "second"],
    onOperatorError: checkOperatorErrors(onOperatorError),
    access: { read: [], write: [], net: [], libraries: [], open: false },
    remarks: [],
    topics: [],
  };
}

/** Failures of one lane, of a query with a policy. */
function lane(policy: OperatorErrorOption = "dead-letter") {
  const failures = new LaneFailures();
  const query = queryOf(policy);
  const failed = (error: PlainError, executor?: "ended" | "cut") =>
    failures.failed({ error, ranMs: 100, member: false, query, executor });
  const ended = (offset: number, executor: "ended" | "cut" = "ended", number?: number) => {
    const turn = { lane: 1, own: false, input: { step: 2, offset, number } };
    const cut = executor === "cut";
    return failed(executorError(PLACE, query, "ended", { turn, cut }), executor);
  };
  return { failures, failed, ended };
}

const SINK: PlainError = { name: "SinkFailedError", message: "no", retryable: false, sink: "mine" };

Deno.test("a sink that fails ten times on a batch ends its query; a batch between starts the count again", () => {
  const { failures, failed } = lane();
  for (let time = 0; time < 9; time++) assert.ok(failed(SINK).delayMs! > 0);
  failures.progressed();
  for (let time = 0; time < 9; time++) assert.ok(failed(SINK).delayMs! > 0);
  assert.deepEqual(failed(SINK), {
    delayMs: undefined,
    why: "no; it has failed 10 times in a row",
  });
});

Deno.test("the policy for errors of operators is that for sinks too", () => {
  assert.equal(lane("stop").failed(SINK).delayMs, undefined);
  const { failed } = lane("restart");
  for (let time = 0; time < 50; time++) assert.ok(failed(SINK).delayMs! > 0);
  const few = lane({ kind: "dead-letter", maxInARow: 2 });
  assert.ok(few.failed(SINK).delayMs! > 0);
  assert.equal(few.failed(SINK).delayMs, undefined);
});

Deno.test("what another system refuses is tried for ever", () => {
  const { failed } = lane();
  const away = { name: "Error", message: "away", code: "ECONNREFUSED", retryable: false };
  for (let time = 0; time < 50; time++) assert.ok(failed(away).delayMs! > 0);
  const wrong = { ...away, code: "ERR_INVALID_ARG_TYPE" };
  for (let time = 0; time < 9; time++) assert.ok(failed(wrong).delayMs! > 0);
  assert.equal(failed(wrong).delayMs, undefined, "no system refused it");
});

Deno.test("an input that ends the executor three times becomes a dead letter, and each end waits longer", () => {
  const { failures, ended } = lane();
  const delays = [7, 7, 7, 47, 47, 47].map((offset) => ended(offset).delayMs);
  assert.deepEqual(delays, [1000, 2000, 4000, 8000, 16_000, 30_000]);
  assert.deepEqual(
    failures.deadInputs.map(({ operator, offset }) => [operator, offset]),
    [["second", 7], ["second", 47]],
  );
});

Deno.test("the end of an executor that comes from no input ends the query after ten times", () => {
  const { failed } = lane();
  const error = executorError(PLACE, queryOf("dead-letter"), "ended");
  for (let time = 0; time < 9; time++) assert.ok(failed(error, "ended").delayMs! > 0);
  assert.equal(failed(error, "ended").delayMs, undefined);
});

Deno.test("what ends an executor is named with its operator and offset, also beyond 32 bits", () => {
  const input = { step: 1, offset: 2 ** 40 + 5 };
  const error = executorError(PLACE, queryOf("stop"), "ended", {
    turn: { lane: 1, own: false, input },
  });
  assert.equal(
    error.message,
    "Operator first of query q failed at t partition 3 offset 1099511627781: ended",
  );
  assert.equal(error.code, "OPERATOR_FAILED");
});

Deno.test("windows that begin at the same frame are told apart when they end an executor", () => {
  const { failures, ended } = lane();
  for (const number of [1, 1, 0, 1, 1, 0]) {
    ended(7, "ended", number);
    assert.deepEqual(failures.deadInputs, []);
  }
  for (const number of [1, 1, 1]) ended(7, "ended", number);
  assert.deepEqual(failures.deadInputs.map(({ offset, number }) => [offset, number]), [[7, 1]]);
});

Deno.test("an input whose call was cut becomes a dead letter at once; the third cut ends the query", () => {
  const { failures, ended } = lane();
  assert.equal(ended(7, "cut").delayMs, 0);
  assert.deepEqual(failures.deadInputs.map(({ offset }) => offset), [7]);
  assert.equal(ended(47, "cut").delayMs, 0);
  failures.progressed();
  assert.equal(ended(87, "cut").delayMs, undefined);
});

type Given = {
  code?: string;
  retryable?: boolean;
  finite?: boolean;
  member?: boolean;
  ranMs?: number;
};

/** Delays after failures of one lane that end no query by their number; the last is undefined at its end. */
function delays(
  times: number,
  { finite, member = false, ranMs = 100, code = "REFUSED", retryable = false }: Given = {},
): (number | undefined)[] {
  const failures = new LaneFailures();
  const run = { ranMs, member, query: queryOf("restart", finite) };
  const error = { name: "Error", message: "no", code, retryable };
  return Array.from({ length: times }, () => failures.failed({ ...run, error }).delayMs);
}

Deno.test("a query that fails waits twice as long each time, up to a limit; one that ran for a minute has recovered", () => {
  assert.deepEqual(delays(9), [1000, 2000, 4000, 8000, 16_000, ...Array(4).fill(30_000)]);
  assert.deepEqual(delays(9, { retryable: true }), [100, 200, 400, 800, ...Array(5).fill(1000)]);
  assert.deepEqual(delays(3, { ranMs: 61_000 }), [1000, 1000, 1000]);
});

Deno.test("what a restart cannot mend ends the query", () => {
  for (
    const code of ["OFFSET_OUT_OF_RANGE", "CHECKPOINT_CORRUPT", "TOO_LARGE", "OPERATOR_FAILED"]
  ) {
    assert.deepEqual(delays(1, { code, retryable: true }), [undefined], code);
  }
  assert.deepEqual(delays(1, { finite: true }), [undefined]);
  const retried = delays(21, { finite: true, retryable: true });
  assert.deepEqual([retried[0], retried[19], retried[20]], [100, 1000, undefined]);
});

Deno.test("one that was fenced starts again only where a group may give the partition back", () => {
  for (const code of ["FENCED", "TAKEN_OVER"]) {
    assert.deepEqual(delays(1, { code }), [undefined]);
    assert.deepEqual(delays(1, { code, member: true, finite: true }), [1000]);
  }
});
