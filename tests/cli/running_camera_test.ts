import assert from "node:assert/strict";
import type { CameraHost, CameraStats } from "../../cameras/camera.ts";
import { RunningCamera } from "../../cli/running_camera.ts";

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

/** CAMERA-4 with these counts; it ends by `end`. */
function started(stats: CameraStats) {
  let now = 1_000;
  const over = Promise.withResolvers<void>();
  const clock = { monotonic: () => now };
  const camera = { stats, status: { state: "running", restarts: 0 } as const, ended: over.promise };
  const host = { topic: "T", clock } as unknown as CameraHost;
  const options = { number: 4, source: () => Promise.reject(), report() {} };
  const running = new RunningCamera(host, { ...options, signal: AbortSignal.any([]) }, camera);
  return { running, pass: (ms: number) => now += ms, end: over.resolve };
}

function after20s(stats: CameraStats): RunningCamera {
  const { running, pass } = started(stats);
  pass(20_000);
  return running;
}

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
  assert.deepEqual(JSON.parse(after20s(punctual).summary(true)), agreed);
  assert.deepEqual(JSON.parse(after20s(late).summary(true)), {
    ...agreed,
    late: 3,
    behindSeconds: 1.235,
  });
  assert.equal(
    after20s(punctual).summary(false),
    "CAMERA-4: 100 frames published, 0 dropped, 4.5 MB in 20.0 s",
  );
  assert.match(
    after20s(late).summary(false),
    /, 3 of them late: the recording fell 1\.2 s behind/,
  );
  assert.match(after20s(late).note(), /, 3 late$/);
});

Deno.test("a camera's seconds end with it, as those of one that was removed from a run", async () => {
  const { running, pass, end } = started(punctual);
  const seconds = () => JSON.parse(running.summary(true)).seconds;
  pass(3_000);
  assert.equal(seconds(), 3);
  pass(2_000);
  end();
  await running.camera.ended;
  pass(10_000);
  assert.equal(seconds(), 5);
});

Deno.test("a camera's progress tells its rate since the last one, and its state", () => {
  const { running, pass } = started(punctual);
  const progress = () => JSON.parse(running.progress()).progress;
  pass(5_000);
  const { framesPerSecond, seconds, state, restarts } = progress();
  assert.deepEqual([framesPerSecond, seconds, state, restarts], [20, 5, "running", 0]);
  pass(1_000);
  assert.equal(progress().framesPerSecond, 0);
});
