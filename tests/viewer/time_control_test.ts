import assert from "node:assert/strict";
import { TimeControl } from "../../viewer/page/time_control.ts";
import type { TimeCommand } from "../../viewer/protocol.ts";

/** A page's time, whose commands wait for answers; the wall shows offset 7 of lane `a`. */
function timeOf(lanes: readonly string[]) {
  const sent: TimeCommand[] = [];
  const place = { lane: "a", offset: 7, timestamp: 700 };
  const wall = { lead: { laneId: "a" }, place };
  const time = new TimeControl((command) => sent.push(command), wall, () => {});
  time.know(lanes);
  /** Answers the newest command: the wall is paused at this offset. */
  const answer = (offset: number) =>
    time.apply({ mode: "paused", generation: sent.length, speed: 1, lead: "a", offset });
  return { time, sent, answer };
}

Deno.test("steps go on from a command that was not answered yet, over an outage too", () => {
  const { time, sent, answer } = timeOf(["a"]);
  time.seek("a", 40);
  time.step(1);
  time.step(10);
  assert.deepEqual(sent, [{ action: "seek", lead: "a", offset: 40 }]);
  time.reconnected();
  assert.equal(sent.length, 1, "the server does not know the lane yet");
  assert.deepEqual(time.frame, { lane: "a", offset: 40 });
  sent.length = 0;
  time.know(["a"]);
  answer(41); // the log does not hold 40
  assert.deepEqual(sent, [
    { action: "seek", lead: "a", offset: 40 },
    { action: "step", lead: "a", offset: 41, by: 11 },
  ]);
  answer(52);
  assert.deepEqual(time.frame, { lane: "a", offset: 52 });

  time.step(-1);
  time.step(-1);
  time.jump(300);
  answer(51);
  assert.deepEqual(sent.slice(2), [
    { action: "step", lead: "a", offset: 52, by: -1 },
    { action: "jump", lead: "a", time: 300 },
  ], "a jump replaces the steps before it");
});

Deno.test("a step typed during an outage starts from the frame that was shown before it", () => {
  const { time, sent, answer } = timeOf(["a"]);
  time.seek("a", 40);
  answer(40);
  sent.length = 0;
  time.reconnected();
  time.step(1);
  time.know(["a"]);
  answer(40);
  assert.deepEqual(sent, [
    { action: "seek", lead: "a", offset: 40 },
    { action: "step", lead: "a", offset: 40, by: 1 },
  ]);
});
