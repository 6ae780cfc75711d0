import assert from "node:assert/strict";
import type { CameraStats } from "../../cameras/camera.ts";
import { Meter, summaryOf } from "../../cli/camera_text.ts";

const punctual: CameraStats = {
  published: 100,
  bytes: 4_500_000,
  dropped: 0,
  droppedBy: { overflow: 0, "too-large": 0, stopped: 0 },
  retries: 0,
  batches: 100,
  buffered: 0,
  late: 0,
  behindMs: 0,
  clockSteps: 0,
  timeJumps: 0,
  failures: {},
  stream: {},
};
const late: CameraStats = { ...punctual, late: 3, behindMs: 1_234.5678 };

Deno.test("a camera's summary has the agreed fields, and tells lateness only where there is some", () => {
  const agreed = {
    type: "summary",
    camera: "CAMERA-4",
    partition: 3,
    published: 100,
    dropped: 0,
    bytes: 4_500_000,
    seconds: 20,
  };
  assert.deepEqual(JSON.parse(summaryOf(4, {}, punctual, 20, true)), agreed);
  assert.deepEqual(JSON.parse(summaryOf(4, {}, late, 20, true)), {
    ...agreed,
    late: 3,
    behindSeconds: 1.235,
  });
  assert.equal(
    summaryOf(4, {}, punctual, 20, false),
    "CAMERA-4: 100 frames published, 0 dropped, 4.5 MB in 20.0 s",
  );
  assert.match(
    summaryOf(4, {}, late, 20, false),
    /, 3 of them late: the recording fell 1\.2 s behind/,
  );
  assert.match(new Meter(0).note(late, 1_000), /, 3 late$/);
});

Deno.test("a camera's seconds end with it, as those of one that was removed from a run", () => {
  const meter = new Meter(1_000);
  assert.equal(meter.seconds(4_000), 3);
  meter.end(6_000);
  assert.equal(meter.seconds(16_000), 5);
});
