/** Alerts that a streaming query remembers in the log. */
import assert from "node:assert/strict";
import { alerts } from "../../../queries/operators/alerts.ts";
import type { Frame, Output, Result } from "../../../runtime/definition/frame.ts";
import { query } from "../../../runtime/definition/query.ts";
import { display } from "../../../runtime/sinks/display.ts";
import type { Sink } from "../../../runtime/definition/sink.ts";
import { collect, runQuery } from "../../../runtime/testing.ts";
import { logOf } from "./kit.ts";

Deno.test("alerts are remembered in a topic of their own, with the commit of their batch, once", async () => {
  // Scores of ten frames a second: an episode from 2 to 150, and one that is open at the end.
  const score = (offset: number) => (offset >= 2 && offset < 150) || offset >= 160 ? 0.9 : 0.1;
  const definition = (sink: Sink<Output>) =>
    query("doors").readStream({ startingOffsets: "earliest", maxFramesPerTrigger: 7 })
      .process({
        name: "scores",
        open: () => ({
          process: (
            frame: Frame,
          ) => [{ ...frame, result: { scores: { door: score(frame.offset) } } }],
        }),
      })
      .process(alerts({ label: "door" }))
      .writeStream(sink).trigger("available-now");
  for (const [sink, crashAt] of [[collect<Output>(), 4], [display(), 1]] as const) {
    const source = logOf(170);
    let commits = 0;
    source.fail = (point) => {
      if (point === "before-commit" && ++commits === crashAt) throw new Error("killed");
    };
    await assert.rejects(runQuery(definition(sink), { log: source }), /killed/);
    await runQuery(definition(sink), { log: source });
    const remembered = source.frames("VideoStreaming.alerts", 0);
    assert.ok(
      remembered.every(({ key, headers }) =>
        key?.startsWith("doors-0-door-") && headers["query"] === "doors"
      ),
    );
    const states = remembered.map(({ value }) => {
      const { alert, window, topic, camera } = JSON.parse(
        new TextDecoder().decode(value),
      ) as Result;
      assert.deepEqual([topic, camera], ["VideoStreaming", "CAMERA-1"]);
      return `${alert!.id.slice(-3)} ${alert!.state} ${window!.firstOffset}`;
    });
    const all = [
      "r-2 start 2",
      "r-2 update 52",
      "r-2 update 102",
      "r-2 end 150",
      "160 start 160",
      "160 end 169",
    ];
    // An alert that continues is reported every five seconds, and again after a restart.
    const again = states.filter((state) => !all.includes(state));
    assert.ok(
      again.length <= 3 && again.every((state) => state.startsWith("r-2 update")),
      `${again}`,
    );
    for (const edge of ["start", "end"]) {
      const edges = (list: string[]) => list.filter((state) => state.includes(edge));
      assert.deepEqual(edges(states), edges(all));
    }
  }
});
