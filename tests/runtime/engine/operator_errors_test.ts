/** What an operator does wrong costs one input, and is named. */
import assert from "node:assert/strict";
import type { Frame } from "../../../runtime/definition/frame.ts";
import type { Operator } from "../../../runtime/definition/operator.ts";
import {
  OperatorError,
  type OperatorErrorOption,
} from "../../../runtime/definition/operator_error.ts";
import { query } from "../../../runtime/definition/query.ts";
import type { MemoryLog } from "../../../runtime/testing.ts";
import { collect, runQuery, startQuery } from "../../../runtime/testing.ts";
import { images } from "../../../runtime/sinks/images.ts";
// Opens its library here, and not in the first test that writes a picture.
import "../../../runtime/image/turbojpeg.ts";
import { clock, deadLetters, logOf, offsets, upTo } from "./kit.ts";

// deno-lint-ignore no-explicit-any
type Anything = any;

/** Everything that `process` can do wrong with one frame. */
const FAULTS: Record<string, (frame: Frame) => Anything> = {
  "throws an error": () => {
    throw new TypeError("Cannot read gauge");
  },
  "throws null": () => {
    // deno-lint-ignore no-throw-literal
    throw null;
  },
  "throws what cannot be printed": () => {
    throw Object.create(null);
  },
  "throws an error whose getters throw": () => {
    throw Object.defineProperty(new Error("x"), "message", {
      get: () => {
        throw new Error("no message");
      },
    });
  },
  "rejects": () => Promise.reject(new Error("Cannot read gauge")),
  "rejects late, with nothing": async () => {
    await Promise.resolve();
    return await Promise.reject(undefined);
  },
  "gives nothing": () => undefined,
  "gives no array": (frame) => frame,
  "promises no array": () => Promise.resolve(7),
  "gives a thenable that resolves twice, with garbage": () => ({
    then(resolve: (value: unknown) => void) {
      resolve("one");
      resolve([]);
    },
  }),
  "gives undefined as output": () => [undefined],
  "gives an output whose getters throw": (frame) => [
    Object.defineProperty({ ...frame }, "result", {
      get: () => {
        throw new Error("no result");
      },
    }),
  ],
  "gives a frame without bytes": (frame) => [{ ...frame, value: undefined }],
  "throws a revoked proxy": () => {
    const { proxy, revoke } = Proxy.revocable(new Error("x"), {});
    revoke();
    throw proxy;
  },
  "throws a symbol": () => {
    throw Symbol("odd");
  },
  "throws a frozen error that caused itself": () => {
    const error = new Error("odd", { cause: {} });
    error.cause = error;
    throw Object.freeze(error);
  },
  "throws an error with a code that ends queries": () => {
    throw Object.assign(new Error("odd"), { code: "INVALID", retryable: true });
  },
  "gives a frame of another partition": (frame) => [{ ...frame, partition: 1 }],
  "gives a frame at no time": (frame) => [{ ...frame, timestamp: 1e300 }],
  "gives a frame whose time is text": (frame) => [{ ...frame, timestamp: "5" }],
  "gives a frame of another topic": (frame) => [{ ...frame, topic: "Other" }],
  "gives a frame at no offset": (frame) => [{ ...frame, offset: NaN }],
  "gives a frame whose number among several is text": (frame) => [{ ...frame, part: "2" }],
  "gives a finding that ends before it begins": (frame) => [
    { ...frame, firstOffset: 5, lastOffset: 4, result: {} },
  ],
  "gives a finding whose window has no number": (frame) => [
    { ...frame, firstOffset: 5, lastOffset: 5, number: null, result: {} },
  ],
  "gives a frame whose key is a number": (frame) => [{ ...frame, key: 7 }],
  "gives a frame without headers": (frame) => [{ ...frame, headers: null }],
  "gives a frame whose header is a number": (frame) => [{ ...frame, headers: { lux: 5 } }],
  "gives a frame on shared memory": (frame) => [
    { ...frame, value: new Uint8Array(new SharedArrayBuffer(8)) },
  ],
  "gives a frame whose bytes it gave away": (frame) => {
    const value = frame.value.slice();
    structuredClone(value, { transfer: [value.buffer] });
    return [{ ...frame, value }];
  },
  "gives the frame's own bytes away": (frame) => {
    structuredClone(frame.value, { transfer: [frame.value.buffer as ArrayBuffer] });
    return [frame];
  },
  "changes the frame that it was given": (frame) => [Object.assign(frame, { offset: 0 })],
  "gives a result that is null": (frame) => [{ ...frame, result: null }],
  "gives a result that is a list": (frame) => [{ ...frame, result: [1] }],
  "gives results of no frame": (frame) => [{ ...frame, result: { frames: [null] } }],
  "gives an alert that is null": (frame) => [{ ...frame, result: { alert: null } }],
  "gives an alert without a name": (frame) => [
    { ...frame, result: { alert: { state: "start", label: "fire", peak: 1 } } },
  ],
  "gives a result that is no data": (frame) => [{ ...frame, result: { data: { f: () => {} } } }],
  "gives a score that is no number": (frame) => [{ ...frame, result: { scores: { x: NaN } } }],
  "gives a score that is text": (frame) => [{ ...frame, result: { scores: { x: "0.5" } } }],
  "gives scores that are none": (frame) => [{ ...frame, result: { scores: null } }],
  "gives a zone that is null": (frame) => [{ ...frame, result: { zones: { door: null } } }],
  "gives a count that is null": (frame) => [{ ...frame, result: { counts: { door: null } } }],
  "gives an object without a box": (frame) => [
    { ...frame, result: { frames: [{ objects: [{ label: "car", score: 1 }] }] } },
  ],
  "gives a box without an end": (frame) => [
    { ...frame, result: { frames: [{ objects: [{ score: 1, box: [0, 0, Infinity, 1] }] }] } },
  ],
  "gives a result that holds itself": (frame) => {
    const data: Record<string, unknown> = {};
    data["self"] = data;
    return [{ ...frame, result: { data } }];
  },
};

/** Runs a query over ten frames with an operator that does wrong where `wrong` says so. */
async function faulty(
  fault: (frame: Frame) => Anything,
  wrong: (offset: number) => boolean,
  { policy = "dead-letter", concurrency = 1, log = logOf(10) }: {
    policy?: OperatorErrorOption;
    concurrency?: number;
    log?: MemoryLog;
  } = {},
) {
  const calls: number[] = [];
  const gauge: Operator<Frame, Frame> = {
    name: "gauge",
    concurrency,
    open: () => ({
      process(frame) {
        calls.push(frame.offset);
        return wrong(frame.offset) ? fault(frame) : [frame];
      },
    }),
  };
  const sink = collect<Frame>();
  const folder = await Deno.makeTempDir();
  const definition = query("faulty")
    .readStream({ startingOffsets: "earliest", maxFramesPerTrigger: 4 })
    .process(gauge).writeStream(sink, images({ directory: folder }))
    .trigger("available-now").onOperatorError(policy);
  const running = startQuery(definition, { log, clock });
  try {
    const totals = await running.ended;
    return { totals, outputs: offsets(sink.outputs), calls, log, reports: running.reports };
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

for (const [name, fault] of Object.entries(FAULTS)) {
  for (const concurrency of [1, 4]) {
    Deno.test(`an operator that ${name} on one frame costs that frame, ${concurrency} at once`, async () => {
      const { totals, outputs, calls, log, reports } = await faulty(fault, (at) => at === 5, {
        concurrency,
      });
      assert.deepEqual(outputs, upTo(10).filter((offset) => offset !== 5));
      assert.equal(calls.filter((offset) => offset === 5).length, 3);
      assert.equal(totals.deadLettered, 1);
      assert.deepEqual(deadLetters(log), [["operator-error", 5]]);
      assert.equal(reports.length, 1);
      assert.match(
        reports[0]!,
        /Operator gauge of query faulty failed at VideoStreaming partition 0 offset 5: /,
      );
    });
  }
}

Deno.test("a fault that heals before the last try costs nothing", async () => {
  let tries = 0;
  const { outputs, totals } = await faulty(
    (frame) => {
      if (++tries < 3) throw new Error("away");
      return [frame];
    },
    (at) => at === 5,
  );
  assert.deepEqual(outputs, upTo(10));
  assert.equal(totals.deadLettered, 0);
});

Deno.test("a query whose operator fails on every frame ends as failed, not silently empty", async () => {
  const fault = () => {
    throw new Error("never");
  };
  await assert.rejects(
    faulty(fault, () => true, { policy: { kind: "dead-letter", maxInARow: 5 } }),
    { code: "OPERATOR_FAILED", message: /it has failed on 5 inputs in a row/ },
  );
  // Fewer frames than the limit, and none that went well.
  await assert.rejects(faulty(fault, () => true, { log: logOf(3) }), {
    code: "OPERATOR_FAILED",
    message: /gauge.*failed on every frame/,
  });
  const { totals } = await faulty(fault, (at) => at % 5 !== 0, {
    policy: { kind: "dead-letter", maxInARow: 5 },
  });
  assert.equal(totals.deadLettered, 8);
});

Deno.test("with restart and stop the first error ends the run, with its place", async () => {
  for (const policy of ["restart", "stop"] as const) {
    const error = await faulty(FAULTS["throws an error"]!, (at) => at === 5, { policy })
      .then(() => undefined, (error) => error);
    assert.ok(error instanceof OperatorError);
    assert.deepEqual(error.input, { operator: "gauge", offset: 5 });
    assert.equal(error.code, policy === "stop" ? "OPERATOR_FAILED" : undefined);
    assert.match(
      error.message,
      /: Cannot read gauge \(tests\/runtime\/engine\/operator_errors_test.ts:\d+:\d+\)$/,
    );
  }
});

Deno.test("an operator with state is opened again, and not given its dead letters", async () => {
  const log = logOf(10);
  const sums: number[] = [];
  const sum = query("sum").readStream({ startingOffsets: "earliest", maxFramesPerTrigger: 2 })
    .transformWithState<{ sum: number }, Frame>({
      name: "sum",
      init: () => ({ sum: 0 }),
      handleInput(state, frame) {
        state.sum += frame.offset;
        if (frame.offset === 5) throw new Error("half way");
        sums.push(state.sum);
        return [frame];
      },
    }).writeStream(collect<Frame>()).trigger("available-now");
  const error = await runQuery(sum, { log }).then(() => undefined, (error) => error);
  assert.ok(error instanceof OperatorError);
  assert.deepEqual({ ...error.input, tries: error.tries }, {
    operator: "sum",
    offset: 5,
    tries: 3,
  });
  const deadInputs = [{ ...error.input!, message: error.message }];
  const { deadLettered } = await runQuery(sum, { log, deadInputs });
  assert.equal(deadLettered, 1);
  assert.deepEqual(deadLetters(log), [["operator-error", 5]]);
  assert.equal(sums.at(-1), 45 - 5);
});

Deno.test("an operator that fails because its run is aborted makes no dead letter", async () => {
  const log = logOf(1);
  const called = Promise.withResolvers<void>();
  const running = startQuery(
    query("asks").readStream({ startingOffsets: "earliest" })
      .process<Frame>({
        name: "asks",
        open: ({ signal }) => ({
          process: () =>
            new Promise((_, reject) => {
              signal.addEventListener("abort", () => reject(new Error("Cannot ask: aborted")));
              called.resolve();
            }),
        }),
      })
      .writeStream(collect<Frame>()).onOperatorError({ kind: "dead-letter", tries: 1 }),
    { log, clock },
  );
  await called.promise;
  running.stop("abort");
  assert.equal((await running.ended).deadLettered, 0);
  assert.deepEqual(running.reports, []);
});
