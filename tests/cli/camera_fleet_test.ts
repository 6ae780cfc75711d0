import assert from "node:assert/strict";
import { CameraFleet } from "../../cli/camera_fleet.ts";
import { LogError } from "../../runtime/log/log.ts";
import { hurriedClock } from "../cameras/kit.ts";
import { MemoryLog } from "../support/memory_log.ts";
import { until } from "../support/until.ts";

Deno.test("a camera that fails again and again says so ever less often, and once where it publishes", async () => {
  const log = new MemoryLog();
  log.beforeAppend = () => {
    throw new LogError("AUTHENTICATION_FAILED", "No write permission");
  };
  const [said, stop] = [[] as string[], new AbortController()];
  const fleet = new CameraFleet({
    host: {
      log: log.asTopicLog(),
      producer: await log.producer(),
      topic: "frames",
      clock: hurriedClock,
    },
    registry: {
      list: () =>
        Promise.resolve([{ camera: { number: 1, source: "pattern:?size=64x48" }, version: "1" }]),
      setStatus: () => Promise.resolve(),
    },
    json: true,
  }, { signal: stop.signal, print: () => {}, say: (line) => said.push(line) });
  const running = fleet.run();
  const lines = (text: RegExp) => said.filter((line) => text.test(line)).length;
  await until("four failures", () => lines(/No write permission \(4 times\); trying again/) > 0);
  assert.equal(lines(/No write permission/), 3);
  stop.abort();
  await running;
  assert.equal(lines(/ to partition 0 of frames$/), 1);
});
