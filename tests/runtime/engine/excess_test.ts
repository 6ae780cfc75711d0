/** What overload policies drop from topics with holes: each commit of a transaction takes an offset. */
import assert from "node:assert/strict";
import type { OverloadPolicy } from "../../../runtime/definition/overload.ts";
import { Excess } from "../../../runtime/engine/excess.ts";
import type { Frame } from "../../../runtime/definition/frame.ts";

/** A partition of which every `step`th offset holds a frame, read by a query that is behind. */
function drain(overload: OverloadPolicy, count: number, step: number, atOnce: number) {
  const offsets = Array.from({ length: count }, (_, i) => i * step);
  const latest = count * step;
  let position = 0;
  let [dropped, seeks] = [0, 0];
  const kept: number[] = [];
  const excess = new Excess({
    overload,
    onDropped: (frames) => dropped += frames,
    source: { buffered: 0, latest, seek: (offset) => (seeks++, position = offset) },
  });
  while (position < latest) {
    const read = offsets.filter((offset) => offset >= position).slice(0, atOnce);
    position = read.length === 0 ? latest : read.at(-1)! + step;
    const frames = read.map((offset) => ({ offset }) as Frame);
    kept.push(...excess.apply({ frames, end: position }, atOnce).frames.map((f) => f.offset));
  }
  return { kept, dropped, seeks };
}

for (
  const [name, overload, wanted] of [
    ["drop-oldest", { kind: "drop-oldest", maxLagFrames: 20 }, 20],
    ["latest", { kind: "latest" }, 1],
  ] as const
) {
  Deno.test(`${name} leaves out the frames that are too many, and counts frames, not offsets`, () => {
    for (const step of [1, 2, 3]) {
      const { kept, dropped } = drain(overload, 300, step, 10);
      assert.equal(kept.length + dropped, 300, `a frame every ${step} offsets`);
      assert.ok(Math.abs(kept.length - wanted) <= wanted, `${kept.length} kept`);
      assert.equal(kept.at(-1), 299 * step);
    }
  });
}

Deno.test("a topic without holes is passed over, not read", () => {
  assert.equal(drain({ kind: "drop-oldest", maxLagFrames: 20 }, 300, 1, 10).seeks, 1);
  assert.equal(drain({ kind: "drop-oldest", maxLagFrames: 20 }, 300, 2, 10).seeks, 0);
});
