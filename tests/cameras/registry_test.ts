import assert from "node:assert/strict";
import { join } from "node:path";
import { Camera, type CameraStats } from "../../cameras/camera.ts";
import { makeSource } from "../../cameras/open.ts";
import { CameraRegistry, openState, type RegisteredCamera } from "../../cameras/registry.ts";
import { CameraSupervisor } from "../../cameras/supervisor.ts";
import { systemClock } from "../../runtime/base/clock.ts";
import { until } from "../support/until.ts";
import { withFolder } from "../support/folder.ts";
import { MemoryLog } from "../support/memory_log.ts";
import { makeVideo } from "../support/videos.ts";
import { hurriedClock, TOPIC } from "./kit.ts";

const summary = (published: number) => ({ published }) as CameraStats;

/** Cameras that follow a script. */
class Stage {
  readonly running = new Map<number, RegisteredCamera>();
  readonly starts: number[] = [];
  readonly reports: string[] = [];
  readonly stop = new AbortController();
  /** Ends a running camera: with a failure, or well. */
  readonly end = new Map<number, (failure?: Error) => void>();
  most = 0;

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
        try {
          const { promise, resolve, reject } = Promise.withResolvers<CameraStats>();
          signal.addEventListener("abort", () => resolve(summary(1)), { once: true });
          this.end.set(
            camera.number,
            (failure) => failure === undefined ? resolve(summary(5)) : reject(failure),
          );
          return await promise;
        } finally {
          this.running.delete(camera.number);
        }
      },
    });
    return { supervisor, ended: supervisor.run() };
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
      await registry.add({ number: 10, source: "pattern:", fps: 7 });
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
    assert.equal(await registry.get(9), undefined);
  });
});

Deno.test("supervisor: follows the registry: added, changed, removed", async () => {
  using kv = await openState(":memory:");
  const registry = new CameraRegistry(kv);
  const stage = new Stage();
  await registry.add({ number: 1, source: "pattern:" });
  const { ended, supervisor } = stage.supervise(registry);
  await until("1 runs", () => stage.running.has(1));
  await registry.add({ number: 2, source: "pattern:" });
  await until("2 runs", () => stage.running.has(2));
  await registry.add({ number: 1, source: "pattern:?fps=3" });
  await until("1 is changed", () => stage.running.get(1)?.source === "pattern:?fps=3");
  assert.deepEqual(stage.starts, [1, 2, 1]);
  await registry.remove(2);
  await until("2 is gone", () => !stage.running.has(2));
  assert.deepEqual(supervisor.cameras.map(({ number, state }) => [number, state]), [[
    1,
    "running",
  ]]);
  stage.stop.abort();
  await ended;
  assert.equal(stage.running.size, 0);
});

Deno.test("supervisor: a camera that comes back waits until it has left its partition", async () => {
  const camera = { number: 1, source: "pattern:" };
  const left = Promise.withResolvers<CameraStats>();
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
      const gone = Promise.withResolvers<void>();
      signal.addEventListener("abort", () => gone.resolve(), { once: true });
      await gone.promise;
      const result = await left.promise;
      runs.push("out");
      return result;
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
  left.resolve(summary(1));
  await until("it runs again", () => runs.length === 3);
  assert.deepEqual(runs, ["in", "out", "in"]);
  stop.abort();
  await ended;
});

Deno.test("supervisor: one that fails starts again, and leaves the others alone", async () => {
  using kv = await openState(":memory:");
  const registry = new CameraRegistry(kv);
  const stage = new Stage();
  await registry.add({ number: 1, source: "pattern:" });
  await registry.add({ number: 2, source: "pattern:" });
  const { ended, supervisor } = stage.supervise(registry);
  await until("both run", () => stage.running.size === 2);
  for (let failure = 1; failure <= 3; failure++) {
    stage.end.get(1)!(new Error("Cable cut"));
    await until("1 starts again", () => stage.starts.filter((n) => n === 1).length === failure + 1);
  }
  assert.deepEqual(stage.starts.filter((n) => n === 2), [2]);
  const [first, second] = supervisor.cameras;
  assert.deepEqual(first, {
    number: 1,
    state: "running",
    restarts: 3,
    error: "Cable cut",
    reason: "OTHER",
  });
  assert.deepEqual(second, { number: 2, state: "running", restarts: 0 });
  assert.ok(stage.reports.some((line) => /^1: Cable cut; starting again in/.test(line)));
  stage.end.get(2)!();
  await until("2 ends", () => supervisor.cameras[1]!.state === "ended");
  assert.ok(stage.reports.includes("2: ended after 5 frames"));
  stage.stop.abort();
  await ended;
});

Deno.test("supervisor: a camera that works has no failure, also when it was started again", async () => {
  await withFolder(async (folder) => {
    const film = join(folder, "film.mp4");
    const log = new MemoryLog();
    const host = {
      log: log.asTopicLog(),
      producer: await log.producer(),
      topic: TOPIC,
      clock: systemClock,
    };
    const stop = new AbortController();
    const supervisor: CameraSupervisor = new CameraSupervisor({
      registry: {
        list: () => Promise.resolve([{ camera: { number: 1, source: film }, version: "1" }]),
      },
      clock: hurriedClock,
      signal: stop.signal,
      report: () => {},
      run: async ({ number, source: text }, signal) => {
        const source = await makeSource(text, { loop: true });
        const camera = new Camera(host, {
          number,
          source,
          signal,
          report: () => {},
          onFailure: (error) => supervisor.failed(number, error),
        });
        await camera.ended;
        return camera.stats;
      },
    });
    const ended = supervisor.run();
    await until("the film is missed", () => supervisor.cameras[0]?.reason === "MISSING");
    const made = join(folder, "made.mp4");
    await makeVideo(made, { frames: 25 });
    await Deno.rename(made, film);
    await until("the failure is over", () => supervisor.cameras[0]!.error === undefined);
    const { restarts, ...status } = supervisor.cameras[0]!;
    assert.deepEqual(status, { number: 1, state: "running" });
    assert.ok(restarts > 0);
    stop.abort();
    await ended;
  });
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
  const { ended } = stage.supervise(flaky as CameraRegistry);
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
    run: () => Promise.resolve(summary(0)),
    clock: systemClock,
    signal: stop.signal,
    report: () => {},
  });
  await supervisor.run();
});
