import assert from "node:assert/strict";
import { CameraFleet } from "../../cli/camera_fleet.ts";
import { LogError } from "../../runtime/log/log.ts";
import { hurriedClock } from "../cameras/kit.ts";
import { MemoryLog } from "../support/memory_log.ts";
import { until } from "../support/until.ts";

const one = { camera: { number: 1, source: "pattern:?size=64x48" }, version: "1" };

async function runFleet(log: MemoryLog, registered: () => (typeof one)[]) {
  const [said, stop] = [[] as string[], new AbortController()];
  const fleet = new CameraFleet({
    host: {
      log: log.asTopicLog(),
      producer: await log.producer(),
      topic: "frames",
      clock: hurriedClock,
    },
    registry: {
      list: () => Promise.resolve(registered()),
      setStatus: () => Promise.resolve(),
    },
    json: true,
  }, { signal: stop.signal, print: () => {}, say: (line) => said.push(line) });
  const running = fleet.run();
  return {
    fleet,
    lines: (text: RegExp) => said.filter((line) => text.test(line)).length,
    async [Symbol.asyncDispose]() {
      stop.abort();
      await running;
    },
  };
}

Deno.test("a camera that fails again and again says so ever less often, and once where it publishes", async () => {
  const log = new MemoryLog();
  log.beforeAppend = () => {
    throw new LogError("AUTHENTICATION_FAILED", "No write permission");
  };
  await using run = await runFleet(log, () => [one]);
  const { lines } = run;
  await until("four failures", () => lines(/No write permission \(4 times\); trying again/) > 0);
  assert.equal(lines(/No write permission/), 3);
  assert.equal(lines(/ to partition 0 of frames$/), 1);
});

Deno.test("a camera is measured until it is removed", async () => {
  let registered = [one];
  await using run = await runFleet(new MemoryLog(), () => registered);
  await until("frames", () => (run.fleet.measured()[0]?.stats.published ?? 0) > 0);
  registered = [];
  await until("the camera is gone", () => run.fleet.measured().length === 0);
});
