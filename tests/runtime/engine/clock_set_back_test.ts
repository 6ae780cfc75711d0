/** The wall clock is set back an hour: whatever waits for a while waits no longer for it. */
import assert from "node:assert/strict";
import type { Frame, Window } from "../../../runtime/definition/frame.ts";
import { query, type Stream } from "../../../runtime/definition/query.ts";
import { LagMeter } from "../../../runtime/driver/lag.ts";
import { reportIdle } from "../../../runtime/driver/idle.ts";
import { newCells } from "../../../runtime/executor/protocol.ts";
import { StreamingQuery } from "../../../runtime/driver/streaming_query.ts";
import type { ReadStreamOptions } from "../../../runtime/definition/source_options.ts";
import { collect, FakeClock, settle, startQuery } from "../../../runtime/testing.ts";
import { sessionWindow } from "../../../runtime/windows/session.ts";
import { windowOperator } from "../../../runtime/windows/window_operator.ts";
import { managerOf } from "../../support/manager.ts";
import { logOf } from "./kit.ts";

const HOUR_MS = 3_600_000;

class SetClock extends FakeClock {
  back = 0;

  override now(): number {
    return super.now() - this.back;
  }
}

/** The outputs a second after the clock was set back, during the first batch. */
async function outputs(
  options: ReadStreamOptions,
  steps: (frames: Stream<Frame>) => Stream<Frame>,
  trigger: "asap" | "interval:1s" = "asap",
): Promise<number> {
  const clock = new SetClock(10_000_000);
  const sink = collect<Frame>();
  const frames = query("set").readStream({ startingOffsets: "earliest", ...options });
  const seen = frames.map((frame) => {
    clock.back = HOUR_MS;
    return frame;
  });
  const running = startQuery(steps(seen).writeStream(sink).trigger(trigger), {
    log: logOf(4),
    clock,
  });
  await settle();
  clock.back = HOUR_MS;
  await clock.advance(1_000);
  const { length } = sink.outputs;
  running.stop();
  await running.ended;
  return length;
}

Deno.test("triggers, the wait for enough frames, windows and sessions end in time", async () => {
  const same = (frames: Stream<Frame>) => frames;
  assert.equal(await outputs({ maxFramesPerTrigger: 2 }, same, "interval:1s"), 4);
  const waiting = { minFramesPerTrigger: 8, maxTriggerDelay: "1s" };
  assert.equal(await outputs(waiting, same), 4);
  assert.equal(await outputs(waiting, same, "interval:1s"), 4);
  const firstOf = ({ frames }: Window) => frames[0]!;
  const session = sessionWindow({ while: () => true, afterMs: 1e6, maxMs: 1e6, silenceMs: 1_000 });
  assert.equal(await outputs({}, (frames) => frames.process(session).map(firstOf)), 1);
  const window = windowOperator({ frames: 8, gap: "pad", silenceMs: 1_000 });
  assert.equal(await outputs({}, (frames) => frames.process(window).map(firstOf)), 1);
});

Deno.test("a query's report ages, and an idle query is reported, while the clock is set back", async () => {
  const clock = new SetClock(10_000_000);
  const manager = managerOf();
  const stream = new StreamingQuery("q", "T", 0, {
    stop: () => Promise.resolve(),
    explain: () => "",
    latestOffset: () => Promise.resolve(0),
    cells: newCells(),
  });
  manager.begins(stream);
  stream.started("id", 0);
  stream.progressed({ sources: [] } as never, clock);
  clock.back = HOUR_MS;
  let idle = 0;
  manager.addListener({ onQueryIdle: () => void idle++ });
  const stop = new AbortController();
  const reporting = reportIdle(manager, clock, stop.signal);
  await clock.advance(10_000);
  stop.abort(new Error("The test ends"));
  await reporting;
  const log = {
    offsets: () => Promise.reject(new Error("Not asked")),
    reader: () => Promise.reject(new Error("Not asked")),
  };
  assert.deepEqual([idle, new LagMeter(log, clock).age(stream)], [1, 10_000]);
});
