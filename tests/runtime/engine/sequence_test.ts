/** Gaps in the cameras' sequence numbers, beside frames that were dropped and counted. */
import assert from "node:assert/strict";
import type { Frame } from "../../../runtime/definition/frame.ts";
import { SequenceTracker } from "../../../runtime/engine/sequence.ts";
import { upTo } from "./kit.ts";

const frame = (offset: number, seq = offset): Frame => ({
  topic: "T",
  partition: 0,
  offset,
  timestamp: 0,
  key: null,
  headers: { session: "s", seq: String(seq) },
  value: new Uint8Array(),
});

function trackerOf(...seen: readonly number[]): SequenceTracker {
  const tracker = new SequenceTracker(() => {});
  for (const offset of seen) tracker.see(frame(offset));
  return tracker;
}

function restarted(tracker: SequenceTracker): SequenceTracker {
  const next = trackerOf();
  next.restore(JSON.parse(JSON.stringify(tracker.seen)));
  return next;
}

Deno.test("dropped frames do not count as gaps, wherever they are among those that are kept", () => {
  const sampled = trackerOf();
  for (let start = 0; start < 50; start += 10) {
    sampled.drop(8, start + 10);
    sampled.see(frame(start));
    sampled.see(frame(start + 5));
  }
  // Dropped when they were read, before the first of the others was processed.
  const later = trackerOf();
  later.drop(10, 21);
  for (const offset of upTo(11)) later.see(frame(offset));
  later.see(frame(21));
  assert.deepEqual([sampled.gaps, later.gaps], [0, 0]);
});

Deno.test("dropped frames hide no other gap, once what follows them has come", () => {
  const tracker = trackerOf(0);
  // Without numbers, or of another camera.
  tracker.drop(5, 6);
  tracker.see(frame(6, 1));
  tracker.see(frame(7, 4));
  assert.equal(tracker.gaps, 2);
});

Deno.test("a restart forgets neither the last number nor what was dropped since", () => {
  const tracker = trackerOf(0);
  tracker.drop(8, 10);
  tracker.see(frame(5));
  const next = restarted(tracker);
  next.see(frame(12));
  assert.equal(next.gaps, 2);
  assert.deepEqual(restarted(next).seen, [["/s", 12]]);
});

Deno.test("invalid numbers are ignored, and two cameras on a partition are reported once", () => {
  const told: (readonly string[])[] = [];
  const tracker = new SequenceTracker((sessions) => void told.push(sessions));
  const see = (offset: number, session: string, seq = String(offset)) =>
    tracker.see({ ...frame(offset), headers: { session, seq } });
  for (const [offset, seq] of ["0", "x", "-1", "1.5", "1e300", "1"].entries()) {
    see(offset, "a", seq);
  }
  for (const offset of [2, 4, 6, 8]) {
    see(offset, "b");
    see(offset + 1, "a");
  }
  assert.deepEqual(told, [["/b", "/a"]]);
  assert.deepEqual([tracker.duplicates, tracker.orderViolations], [0, 0]);
  assert.equal(tracker.gaps, 7);
});

Deno.test("the checkpoint keeps few sessions, and none with an overlong name", () => {
  const tracker = trackerOf();
  for (let i = 0; i < 20; i++) {
    tracker.see({ ...frame(i), headers: { session: `s${i}`, seq: "0" } });
  }
  assert.deepEqual(tracker.seen, [["/s18", 0], ["/s19", 0]]);
  tracker.see({ ...frame(20), headers: { session: "s".repeat(1000), seq: "0" } });
  assert.deepEqual(tracker.seen, [["/s19", 0]]);
});
