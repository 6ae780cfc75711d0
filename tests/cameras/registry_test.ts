import assert from "node:assert/strict";
import { join } from "node:path";
import { CameraRegistry, openState, type RegisteredCamera } from "../../cameras/registry.ts";
import { CameraSupervisor } from "../../cameras/supervisor.ts";
import { systemClock } from "../../runtime/base/clock.ts";
import { aborted } from "../../runtime/base/wait.ts";
import { until } from "../support/until.ts";
import { withFolder } from "../support/folder.ts";
import { hurriedClock } from "./kit.ts";

/** Cameras that follow a script. */
class Stage {
  readonly running = new Map<number, RegisteredCamera>();
  readonly starts: number[] = [];
  readonly reports: string[] = [];
  readonly stop = new AbortController();
  supervise(registry: CameraRegistry) {
    const supervisor = new CameraSupervisor({
      registry,
      clock: hurriedClock,
      signal: this.stop.signal,
      report: (message, number) => this.reports.push(`${number}: ${message}`),
      run: async (camera, signal) => {
        assert.ok(!this.running.has(camera.number), "never two of one number at once");
        this.running.set(camera.number, camera);
        this.starts.push(camera.number);
        await aborted(signal);
        this.running.delete(camera.number);
      },
    });
    return supervisor.run();
  }
}

Deno.test("registry: keeps cameras by number, readable by its owner only", async () => {
  await withFolder(async (folder) => {
    const path = join(folder, "state", "cameras.kv");
    {
      using kv = await openState(path);
      const registry = new CameraRegistry(kv);
      await registry.add({ number: 10, source: "pattern:", fps: 5 });
      await registry.add({ number: 9, source: "rtsp://u:p@h/1", size: { width: 64, height: 48 } });
      await registry.setStatus(10, { state: "waiting", restarts: 1, error: "no such host" });
      await registry.add({ number: 10, source: "pattern:", fps: 7 });
      assert.equal(await registry.status(10), undefined);
      assert.equal(await registry.remove(3), false);
    }
    assert.equal((await Deno.stat(path)).mode! & 0o777, 0o600);
    using kv = await openState(path);
    const registry = new CameraRegistry(kv);
    assert.deepEqual((await registry.list()).map(({ camera }) => camera), [
      { number: 9, source: "rtsp://u:p@h/1", size: { width: 64, height: 48 } },
      { number: 10, source: "pattern:", fps: 7 },
    ]);
    assert.equal(await registry.remove(9), true);
    assert.equal(await registry.has(9), false);
  });
});

Deno.test("registry: what another program wrote is reported once where it is invalid, and hinders no other camera", async () => {
  using kv = await Deno.openKv(":memory:");
  const reports: string[] = [];
  const registry = new CameraRegistry(kv, (message) => reports.push(message));
  await registry.add({ number: 2, source: "pattern:" });
  const entries = [
    { number: 3, source: "pattern:", fps: "10" },
    { number: 9, source: "" },
    "pattern:",
  ];
  for (const [i, entry] of entries.entries()) await kv.set(["cameras", 3 + i], entry);
  for (let reads = 0; reads < 2; reads++) {
    assert.deepEqual((await registry.list()).map(({ camera }) => camera.number), [2]);
  }
  const again = "; register it again with cameras add, or remove it";
  assert.deepEqual(reports.map((line) => line.replace(/^Cannot use the registry's entry /, "")), [
    `["cameras","3"]: its fps is not valid for --fps${again}`,
    `["cameras","4"]: its number differs from its key; its source is not text${again}`,
    '["cameras","5"]: it is not an object',
  ]);
});

Deno.test("supervisor: follows the registry: added, changed, removed", async () => {
  using kv = await openState(":memory:");
  const registry = new CameraRegistry(kv);
  const stage = new Stage();
  await registry.add({ number: 1, source: "pattern:" });
  const ended = stage.supervise(registry);
  await until("1 runs", () => stage.running.has(1));
  await registry.add({ number: 2, source: "pattern:" });
  await until("2 runs", () => stage.running.has(2));
  await registry.add({ number: 1, source: "pattern:?fps=3" });
  await until("1 is changed", () => stage.running.get(1)?.source === "pattern:?fps=3");
  assert.deepEqual(stage.starts, [1, 2, 1]);
  await registry.remove(2);
  await until("2 is gone", () => !stage.running.has(2));
  assert.deepEqual([...stage.running.keys()], [1]);
  stage.stop.abort();
  await ended;
  assert.equal(stage.running.size, 0);
});

Deno.test("supervisor: a camera that comes back waits until it has left its partition", async () => {
  const camera = { number: 1, source: "pattern:" };
  const left = Promise.withResolvers<void>();
  const stop = new AbortController();
  let listed = [{ camera, version: "1" }];
  let looks = 0;
  const runs: string[] = [];
  const supervisor = new CameraSupervisor({
    registry: {
      list: () => {
        looks++;
        return Promise.resolve(listed);
      },
    },
    clock: systemClock,
    signal: stop.signal,
    pollMs: 5,
    report: () => {},
    run: async (_camera, signal) => {
      runs.push("in");
      await aborted(signal);
      await left.promise;
      runs.push("out");
    },
  });
  const ended = supervisor.run();
  const look = async () => {
    const before = looks;
    await until("the registry is looked at", () => looks > before + 1);
  };
  await until("it runs", () => runs.length === 1);
  listed = [];
  await look();
  listed = [{ camera, version: "2" }];
  await look();
  assert.deepEqual(runs, ["in"]);
  left.resolve();
  await until("it runs again", () => runs.length === 3);
  assert.deepEqual(runs, ["in", "out", "in"]);
  stop.abort();
  await ended;
});

Deno.test("supervisor: a registry that cannot be read for a while stops nothing", async () => {
  using kv = await openState(":memory:");
  const registry = new CameraRegistry(kv);
  await registry.add({ number: 1, source: "pattern:" });
  const stage = new Stage();
  let failures = 0;
  const flaky = {
    list: () => {
      if (stage.running.size > 0 && failures++ < 5) throw new Error("Disk asleep");
      return registry.list();
    },
  };
  const ended = stage.supervise(flaky as CameraRegistry);
  await until("failures are over", () => failures > 6);
  assert.equal(stage.running.size, 1);
  assert.deepEqual(stage.reports.filter((line) => line.includes("Disk asleep")), [
    "undefined: Cannot read the registry: Disk asleep",
  ]);
  stage.stop.abort();
  await ended;
});

Deno.test("supervisor: stopped while it looks at the registry, it ends well", async () => {
  const stop = new AbortController();
  const supervisor = new CameraSupervisor({
    registry: {
      list: () => {
        stop.abort();
        return Promise.resolve([]);
      },
    },
    run: () => Promise.resolve(),
    clock: systemClock,
    signal: stop.signal,
    report: () => {},
  });
  await supervisor.run();
});
