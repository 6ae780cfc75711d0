import assert from "node:assert/strict";
import fc from "fast-check";
import { History } from "../../../queries/operators/history.ts";
import type { SmallLuma } from "../../../queries/operators/luma.ts";
import type { Frame } from "../../../runtime/mod.ts";
import { frameOf } from "./kit.ts";

const OPTIONS = { pictures: 4, intervalMs: 100 };

/** A history at work, and what the newest picture in it was compared with. */
class Follower {
  readonly history = new History(OPTIONS);
  compared: number[] = [];

  show(frame: Frame): void {
    const luma = lumaOf(frame);
    if (!this.history.isDue(frame, luma)) return;
    this.compared = this.offsets;
    this.history.add(frame, luma);
  }

  get offsets(): number[] {
    return this.history.pictures.map(({ offset }) => offset);
  }
}

function lumaOf(frame: Frame): SmallLuma {
  const side = Number(frame.headers["side"]);
  const data = new Uint8Array(side * side).fill(frame.offset * 37);
  const size = { width: side, height: side, sourceWidth: side, sourceHeight: side };
  return { data, factor: 1, ...size };
}

const steps = fc.array(
  fc.record({
    ms: fc.oneof(
      { weight: 20, arbitrary: fc.integer({ min: 1, max: 160 }) },
      fc.constantFrom(-50, -50_000, 0, 50_000),
    ),
    session: fc.oneof({ weight: 20, arbitrary: fc.constant("a") }, fc.constant("b")),
    side: fc.oneof({ weight: 20, arbitrary: fc.constant(2) }, fc.constant(3)),
  }),
  { minLength: 1, maxLength: 60 },
);

Deno.test("History depends on nothing older than its oldest picture", () => {
  fc.assert(
    fc.property(steps, (list) => {
      let timestamp = 0;
      const frames = list.map(({ ms, session, side }, offset) => {
        timestamp += ms;
        return frameOf(new Uint8Array(), offset, timestamp, { session, side: String(side) });
      });
      const straight = new Follower();
      for (const [end, frame] of frames.entries()) {
        straight.show(frame);
        const restarted = new Follower();
        for (const old of frames.slice(straight.history.oldestOffset!, end + 1)) {
          restarted.show(old);
        }
        assert.deepEqual(restarted.offsets, straight.offsets);
        assert.deepEqual(restarted.compared, straight.compared);
        assert.deepEqual(restarted.history.sums, straight.history.sums);
        assert.ok(straight.offsets.length <= OPTIONS.pictures);
      }
    }),
    { numRuns: 400 },
  );
});

Deno.test("History keeps exact sums over the pictures that it holds", () => {
  const follower = new Follower();
  for (let offset = 0; offset < 30; offset++) {
    follower.show(frameOf(new Uint8Array(), offset, 100 * offset, { session: "a", side: "2" }));
    const expected = follower.history.pictures.reduce((sum, { luma }) => sum + luma.data[0]!, 0);
    assert.deepEqual([...follower.history.sums], new Array(4).fill(expected));
  }
  assert.deepEqual(follower.offsets, [26, 27, 28, 29]);
});
