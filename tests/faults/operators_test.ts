/**
 * Any fault of any operator or sink, at any offset, beside any neighbours in the same thread: the
 * neighbours' outputs are byte for byte those of an undisturbed run.
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import { greyscale } from "../../queries/operators/greyscale.ts";
import { LaneFailures } from "../../runtime/driver/lane_failures.ts";
import { plainError } from "../../runtime/executor/protocol.ts";
import { inspectImage } from "../../runtime/image/inspect.ts";
import type { TopicLog } from "../../runtime/log/log.ts";
import { foreachBatch, type Frame, type Operator, query, topic } from "../../runtime/mod.ts";
import { startQuery } from "../../runtime/testing.ts";
import { records } from "../support/frames.ts";
import { fuzz } from "../support/fuzz.ts";
import { readAll, withLog } from "../support/log.ts";

const PARTITIONS = 4;
const FRAMES = 10;
/** Runs of a lane that fails again and again. */
const MOST_RUNS = 4;

/** Waits between tries cost nothing. */
const clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  sleep: () => Promise.resolve(),
};

// deno-lint-ignore no-explicit-any
type Anything = any;

/** Code of a user that does wrong, by the place where it stands; `over` resolves at the end of the run. */
interface Fault {
  readonly open?: () => void;
  readonly map?: (frame: Frame, over?: Promise<void>) => Anything;
  readonly state?: (state: Record<string, unknown>, frame: Frame) => Anything;
  /** Gives the time of a timer. */
  readonly register?: (frame: Frame) => number;
  readonly timer?: (time: number, register: (time: number) => void) => Anything;
  readonly sink?: (over: Promise<void>) => Anything;
  readonly close?: () => void;
}

const fail = () => {
  throw new TypeError("Cannot read gauge");
};
const hold = (ms: number) => {
  for (const end = performance.now() + ms; performance.now() < end;);
};
const soon = (frame: Frame) => frame.timestamp;
/** The frame with other bytes. */
const bytes = (change: (value: Uint8Array) => Uint8Array) => (frame: Frame) => [
  { ...frame, value: change(frame.value.slice()) },
];

const FAULTS: Record<string, Fault> = {
  "cannot be opened": { open: fail },
  "throws": { map: fail },
  "throws null": {
    map: () => {
      // deno-lint-ignore no-throw-literal
      throw null;
    },
  },
  "throws what cannot be printed": {
    map: () => {
      throw Object.create(null);
    },
  },
  "rejects later": {
    map: async () => {
      await new Promise((resolve) => setTimeout(resolve, 1));
      fail();
    },
  },
  "never resolves": { map: (_, over) => over?.then(() => []) },
  "forgets a promise that rejects": {
    map: (frame) => {
      void Promise.reject(new Error("forgotten"));
      return [frame];
    },
  },
  "throws in a timeout": {
    map: (frame) => {
      setTimeout(fail, 0);
      return [frame];
    },
  },
  "holds the thread": {
    map: (frame) => {
      hold(10);
      return [frame];
    },
  },
  "calls itself without end": {
    map: function again(frame): Anything {
      return [again(frame)];
    },
  },
  "asks for more memory than there is": { map: () => [new Uint8Array(2 ** 43)] },
  "makes a string that is too long": { map: () => ["x".repeat(2 ** 30)] },
  "gives nothing": { map: () => undefined },
  "gives a number": { map: () => 7 },
  "gives what is no frame": { map: () => [undefined] },
  "gives what is no promise": { map: () => ({ then: fail }) },
  "gives a frame without bytes": { map: (frame) => [{ ...frame, value: undefined }] },
  "gives a thousand frames": { map: (frame) => Array.from({ length: 1000 }, () => frame) },
  "gives bytes that are cut": { map: bytes((value) => value.subarray(0, value.length >> 1)) },
  "gives bytes that are flipped": {
    map: bytes((value) => value.map((byte, at) => at < 200 ? byte : ~byte)),
  },
  "gives two start markers": {
    map: bytes((value) => new Uint8Array([0xff, 0xd8, ...value])),
  },
  "gives a restart interval of no bytes": {
    map: bytes((value) => new Uint8Array([0xff, 0xd8, 0xff, 0xdd, 0, 2, ...value.subarray(2)])),
  },
  "writes over the bytes that it was given": {
    map: (frame) => {
      frame.value.fill(0);
      return [frame];
    },
  },
  "gives a score that is no number": {
    map: (frame) => [{ ...frame, result: { scores: { calm: NaN } } }],
  },
  "gives a result that holds itself": {
    map: (frame) => {
      const data: Record<string, unknown> = {};
      return [{ ...frame, result: { data: data["self"] = data } }];
    },
  },
  "throws with half a state": {
    state: (state) => {
      state["half"] = true;
      fail();
    },
  },
  "keeps too large a state": { state: (state) => void (state["kept"] = "x".repeat(2 ** 21)) },
  "keeps a state that is no data": { state: (state) => void (state["kept"] = fail) },
  "sets a timer at NaN": { register: () => NaN },
  "throws in a timer": { register: soon, timer: fail },
  "sets the timer again": { register: soon, timer: (time, register) => register(time) },
  "throws in a sink": { sink: fail },
  "rejects in a sink": { sink: () => Promise.reject(new Error("away")) },
  "never ends in a sink": { sink: (over) => over },
  "holds the thread in a sink": { sink: () => hold(10) },
  "cannot be closed": { close: fail },
};

/** A lane that does wrong at one offset, or at all from there on. */
interface Culprit {
  readonly fault: string;
  readonly at: number;
  readonly always: boolean;
}

type Culprits = readonly (Culprit | undefined)[];

/** The query of one run; its operators do wrong where the culprits say so. */
function faulty(culprits: Culprits, out: string, over: Promise<void>) {
  const wrong = ({ partition, offset }: Frame): Fault => {
    const culprit = culprits[partition];
    if (culprit === undefined || offset < culprit.at) return {};
    return culprit.always || offset === culprit.at ? FAULTS[culprit.fault]! : {};
  };
  const faultOf = (partition: number) => FAULTS[culprits[partition]?.fault ?? ""];
  const gauge: Operator<Frame, Frame> = {
    name: "gauge",
    open({ partition }) {
      faultOf(partition)?.open?.();
      return {
        process(frame) {
          const { map } = wrong(frame);
          return map === undefined ? [frame] : map(frame, over);
        },
        close: () => faultOf(partition)?.close?.(),
      };
    },
  };
  return query("faulty")
    .readStream({ startingOffsets: "earliest", maxFramesPerTrigger: 4 })
    .process(gauge)
    .process(greyscale())
    .transformWithState<{ frames: number; partition: number }, Frame>({
      name: "alarm",
      init: () => ({ frames: 0, partition: 0 }),
      handleInput(state, frame, timers) {
        state.frames++;
        state.partition = frame.partition;
        const { state: change, register } = wrong(frame);
        if (register !== undefined) timers.register(register(frame));
        change?.(state as unknown as Record<string, unknown>, frame);
        return [{ ...frame, headers: { ...frame.headers, frames: String(state.frames) } }];
      },
      handleExpiredTimer({ partition }, time, timers) {
        return faultOf(partition)?.timer?.(time, (time) => timers.register(time)) ?? [];
      },
    })
    .writeStream(
      topic({ name: out }),
      foreachBatch<Frame>(async (frames) => {
        for (const frame of frames) await wrong(frame).sink?.(over);
      }),
    )
    .onOperatorError({ kind: "dead-letter", tries: 2 })
    .trigger("available-now");
}

/** Runs all partitions at the same time; returns the outputs of those that do nothing wrong. */
async function outputs(log: TopicLog, run: string, culprits: Culprits) {
  const over = Promise.withResolvers<void>();
  const out = `out-${run}`;
  await log.createTopic(out, PARTITIONS);
  const definition = faulty(culprits, out, over.promise);
  // As a supervisor does it: from the checkpoint, without its dead letters.
  const lane = async (partition: number, mostRuns: number) => {
    const failures = new LaneFailures();
    for (let runs = 1;; runs++) {
      const { deadInputs } = failures;
      const options = { log, partition, group: run, clock, inspect: inspectImage, deadInputs };
      try {
        return await startQuery(definition, options).ended;
      } catch (error) {
        if (runs >= mostRuns) {
          if (mostRuns === 1) throw error;
          return;
        }
        failures.failed({
          ...{ error: plainError(error), ranMs: 0, member: false, query: undefined },
        });
      }
    }
  };
  const good = culprits.flatMap((culprit, partition) => culprit === undefined ? [partition] : []);
  const bad = culprits.flatMap((culprit, partition) => culprit === undefined ? [] : [partition]);
  const ending = bad.map((partition) => lane(partition, MOST_RUNS));
  try {
    await Promise.all(good.map((partition) => lane(partition, 1)));
  } finally {
    over.resolve();
    await Promise.all(ending);
  }
  const frames = await Promise.all(good.map((partition) => readAll(log, out, partition)));
  return new Map(good.map((partition, at) => [
    partition,
    frames[at]!.map(({ key, value, headers, offset, timestamp }) => ({
      key,
      value,
      headers,
      offset,
      timestamp,
    })),
  ]));
}

const culprit = fc.record({
  fault: fc.constantFrom(...Object.keys(FAULTS)),
  at: fc.nat(FRAMES - 1),
  always: fc.boolean(),
});

/** Some lanes that do wrong, and at least one that does not. */
const culprits = fc.array(fc.option(culprit, { nil: undefined, freq: 2 }), {
  minLength: PARTITIONS,
  maxLength: PARTITIONS,
}).map((all) => all.includes(undefined) ? all : [undefined, ...all.slice(1)]);

Deno.test("what an operator or a sink does wrong leaves the outputs of its neighbours as they were", async () => {
  // What an executor's worker does with errors that nothing catches.
  const ignore = (event: Event) => event.preventDefault();
  globalThis.addEventListener("unhandledrejection", ignore);
  globalThis.addEventListener("error", ignore);
  try {
    await withLog(async (_url, log) => {
      await log.createTopic("VideoStreaming", PARTITIONS);
      const producer = await log.producer();
      for (let partition = 0; partition < PARTITIONS; partition++) {
        await producer.append("VideoStreaming", partition, records(partition + 1, FRAMES));
      }
      await producer.close();
      const undisturbed = await outputs(log, "undisturbed", Array(PARTITIONS).fill(undefined));
      for (const frames of undisturbed.values()) assert.equal(frames.length, FRAMES);
      let runs = 0;
      await fuzz(
        "faults of operators",
        fc.asyncProperty(culprits, async (all) => {
          for (const [partition, frames] of await outputs(log, `${++runs}`, all)) {
            assert.deepEqual(frames, undisturbed.get(partition), `partition ${partition}`);
          }
        }),
        { runs: 8 },
      );
    });
  } finally {
    globalThis.removeEventListener("unhandledrejection", ignore);
    globalThis.removeEventListener("error", ignore);
  }
});
