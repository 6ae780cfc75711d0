/** Which inputs become dead letters where steps get windows, or what was found in them. */
import assert from "node:assert/strict";
import type { Frame, Window } from "../../../runtime/definition/frame.ts";
import { OperatorError } from "../../../runtime/definition/operator_error.ts";
import { query } from "../../../runtime/definition/query.ts";
import { collect, runQuery } from "../../../runtime/testing.ts";
import { clock, deadLetters, logOf } from "./kit.ts";

Deno.test("of the frames of one window, only the one that an operator fails on becomes a dead letter", async () => {
  const frames = query("frames").readStream({ startingOffsets: "earliest" })
    .window({ frames: 4 })
    .process<Frame>({ name: "frames", open: () => ({ process: (window) => window.frames }) });
  const failing = (frame: Frame) => {
    if (frame.offset === 5) throw new Error("bad");
    return [frame];
  };
  for (const kind of ["map", "state"] as const) {
    const log = logOf(12);
    const made = collect<Frame>();
    const failed = kind === "map"
      ? frames.process<Frame>({ name: "failing", open: () => ({ process: failing }) })
      : frames.transformWithState<{ n: number }, Frame>({
        name: "failing",
        init: () => ({ n: 0 }),
        handleInput: (_, frame) => failing(frame),
      });
    const definition = failed.writeStream(made).trigger("available-now");
    const deadInputs = kind === "map" ? [] : [{ operator: "failing", offset: 5, message: "bad" }];
    if (kind === "state") {
      await assert.rejects(
        runQuery(definition, { log, clock }),
        (error) => error instanceof OperatorError && error.input?.offset === 5,
      );
    }
    await runQuery(definition, { log, clock, deadInputs });
    assert.deepEqual(made.outputs.map(({ offset }) => offset), [0, 1, 2, 3, 4, 6, 7, 8, 9, 10, 11]);
    assert.deepEqual(deadLetters(log), [["operator-error", 5]]);
  }
});

Deno.test("a frame of the other camera of a pair does not share its offset with one of the own", async () => {
  const definition = (made: ReturnType<typeof collect<Frame>>) =>
    query("pairs").readStream({ startingOffsets: "earliest" })
      // As of pairs whose other frame comes from three frames further on in its partition.
      .map((frame) => ({ ...frame, partition: 1, offset: frame.offset + 3 }))
      .transformWithState<{ n: number }, Frame>({
        name: "failing",
        init: () => ({ n: 0 }),
        handleInput(_, frame) {
          if (frame.offset === 5) throw new Error("bad");
          return [{ ...frame, partition: 0, offset: frame.offset - 3 }];
        },
      }).writeStream(made).trigger("available-now");
  const log = logOf(8);
  const made = collect<Frame>();
  const error = await runQuery(definition(made), { log, clock }).then(() => undefined, (e) => e);
  assert.ok(error instanceof OperatorError);
  const deadInputs = [{ ...error.input!, message: "bad" }];
  await runQuery(definition(made), { log, clock, deadInputs });
  assert.deepEqual(error.input, { operator: "failing", offset: 2 });
  assert.deepEqual(made.outputs.map(({ offset }) => offset), [0, 1, 3, 4, 5, 6, 7]);
  assert.deepEqual(deadLetters(log), [["operator-error", 2]]);
});

Deno.test("of windows that begin at the same frame, only the one that an operator fails on becomes a dead letter", async () => {
  // Ten windows hold the first frame.
  const windows = query("windows").readStream({ startingOffsets: "earliest" })
    .window({ durationMs: 1000, hopMs: 100 });
  const failing = (window: Window) => {
    if (window.firstOffset === 0 && window.number === 3) throw new Error("bad");
    return [{ ...window.frames[0]!, headers: { window: nameOf(window) } }];
  };
  const nameOf = ({ firstOffset, number = 0 }: Window) => `${firstOffset}.${number}`;
  const definition = (made: ReturnType<typeof collect<Frame>>) =>
    windows.transformWithState<{ n: number }, Frame>({
      name: "failing",
      init: () => ({ n: 0 }),
      handleInput: (_, window) => failing(window as unknown as Window),
    }).writeStream(made).trigger("available-now");
  const log = logOf(30);
  const made = collect<Frame>();
  const error = await runQuery(definition(made), { log, clock }).then(() => undefined, (e) => e);
  assert.ok(error instanceof OperatorError);
  const deadInputs = [{ ...error.input!, message: "bad" }];
  await runQuery(definition(made), { log, clock, deadInputs });
  assert.deepEqual(deadLetters(log), [["operator-error", 0]]);
  const names = made.outputs.map(({ headers }) => headers["window"]);
  assert.deepEqual(
    names.slice(0, 10),
    [0, 1, 2, 4, 5, 6, 7, 8, 9].map((n) => `0.${n}`).concat("1.0"),
  );
});

Deno.test("windows that are read again after a restart are without the dead letters", async () => {
  const log = logOf(12);
  const seen: string[] = [];
  const definition = () =>
    query("windows").readStream({ startingOffsets: "earliest", maxFramesPerTrigger: 4 })
      .map((frame) => {
        if (frame.value[0] === 5) throw new Error("bad");
        return frame;
      })
      .process<Frame>({
        name: "pairs",
        kind: "window",
        open() {
          let first: Frame | undefined;
          return {
            process(frame) {
              if (first === undefined) {
                first = frame;
                return [];
              }
              seen.push(`${first.offset}-${frame.offset}`);
              first = undefined;
              return [frame];
            },
            restartOffset: () => first?.offset,
          };
        },
      }).writeStream(collect<Frame>()).trigger("available-now");
  log.fail = (point) => {
    if (point === "before-commit" && seen.length > 2) throw new Error("killed");
  };
  await assert.rejects(runQuery(definition(), { log, clock }), /killed/);
  log.fail = () => {};
  await runQuery(definition(), { log, clock });
  assert.deepEqual([...new Set(seen)], ["0-1", "2-3", "4-6", "7-8", "9-10"]);
});
