import assert from "node:assert/strict";
import type { LaneState } from "../../runtime/lanes.ts";
import { LogError, type TopicLog } from "../../runtime/log/log.ts";
import { MemoryLog } from "../../runtime/testing/memory_log.ts";
import type { KnownCamera } from "../../viewer/known_cameras.ts";
import type { LaneView } from "../../viewer/protocol.ts";
import { paintCode } from "../support/fake_lanes.ts";
import { withBrowser } from "./browser.ts";
import { until, withViewer } from "./kit.ts";

const TOPIC = "VideoStreaming";
const NEVER = 9;
const REMOVED = 8;

/** What goes wrong on each partition, and what its tile says. */
const TROUBLES: Readonly<
  Record<
    number,
    { state?: LaneState; error?: string; trouble?: string; says: RegExp; also?: RegExp }
  >
> = {
  0: {
    trouble: "The camera refuses the password",
    says: /^The camera refuses the password$/,
    also: /^since \d\d:/,
  },
  1: { trouble: "Cannot reach 192.0.2.7:554", says: /^Cannot reach 192.0.2.7:554$/ },
  2: { trouble: "The recording ended", says: /^The recording ended$/ },
  3: { state: "failed", error: "No model", says: /^Query failed$/, also: /^No model$/ },
  4: { state: "restarting", error: "Try 2", says: /^Query starts again$/, also: /^Try 2$/ },
  5: { trouble: "Connection lost, trying again", says: /^Connection lost, trying again$/ },
  6: { trouble: "The camera is stopped", says: /^The camera is stopped$/ },
  7: { says: /^No frames since \d\d:\d\d:\d\d$/ },
  10: { state: "starting", says: /^Query is starting$/ },
  11: { state: "stopped", says: /^Query stopped$/ },
};

/** The log, which can go away: every call fails then. */
function breakable(log: MemoryLog): { log: TopicLog; away: boolean } {
  const switched = { log: log as TopicLog, away: false };
  switched.log = new Proxy(log, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name, target);
      if (typeof value !== "function") return value;
      return (...args: unknown[]) => {
        if (switched.away && ["offsets", "partitionCount"].includes(String(name))) {
          return Promise.reject(new LogError("UNREACHABLE", "Cannot reach kafka-1:9092"));
        }
        return value.apply(target, args);
      };
    },
  });
  return switched;
}

Deno.test("twelve kinds of trouble at once are each said where they are, and heal", async () => {
  const memory = new MemoryLog();
  await memory.createTopic(TOPIC, 12);
  for (let partition = 0; partition < 12; partition++) {
    if (partition === NEVER) continue;
    const value = paintCode(partition, 0, 320, 240);
    memory.append(TOPIC, partition, [{ key: null, value, timestamp: Date.now(), headers: {} }]);
  }
  const breaking = breakable(memory);
  const healthy: readonly KnownCamera[] = Array.from({ length: 12 }, (_, index) => index + 1)
    .filter((number) => number !== NEVER + 1)
    .map((number) => ({ number, name: `Camera at door ${number}` }));
  let registry: readonly KnownCamera[] = healthy;
  const options = {
    log: breaking.log,
    topics: [TOPIC],
    cameras: () => Promise.resolve(registry),
    lanes: { count: 12 },
  };
  await withViewer(options, async (viewer, lanes) => {
    const pushAll = () => {
      for (const { id, partition } of lanes.lanes()) {
        if (partition !== NEVER) lanes.push(id);
      }
    };
    const ready = async () => {
      const response = await fetch(`${viewer.url}readyz`);
      return `${response.status} ${(await response.text()).trim()}`;
    };
    const api = async () => await (await fetch(`${viewer.url}api/lanes`)).json() as LaneView[];
    pushAll();
    await withBrowser(async (open) => {
      const page = await open(viewer.url);
      const tile = (partition: number) => page.locator(`[data-lane="greyscale-${partition}"]`);
      const allLive = async () => {
        pushAll();
        const shown = await page.locator(".tile").count();
        return shown === 11 && await page.locator('.tile[data-condition="live"]').count() === 11;
      };
      await until(allLive, "all are live at first");
      assert.equal(await ready(), "200 ready");

      const since = Date.now();
      registry = healthy.filter(({ number }) => number !== REMOVED + 1).map((camera) => {
        const { trouble } = TROUBLES[camera.number - 1] ?? {};
        return trouble === undefined ? camera : { ...camera, trouble, since };
      });
      for (const [partition, { state, error }] of Object.entries(TROUBLES)) {
        if (state === undefined) continue;
        lanes.change(`greyscale-${partition}`, {
          state,
          ...(error === undefined ? {} : { exception: error }),
        });
      }
      for (const [partition, { says, also }] of Object.entries(TROUBLES)) {
        const notice = tile(Number(partition)).locator(".notice");
        await notice.locator("strong").getByText(says).waitFor();
        if (also !== undefined) await notice.locator("span").getByText(also).waitFor();
        assert.notEqual(await tile(Number(partition)).getAttribute("data-condition"), "live");
        await tile(Number(partition)).locator(".age").waitFor();
      }
      await tile(REMOVED).waitFor({ state: "detached" });
      assert.equal(await tile(NEVER).count(), 0);
      assert.equal(await ready(), "503 1 of 12 queries have not begun");
      const said = await api();
      const of = (partition: number) => said.find(({ id }) => id === `greyscale-${partition}`)!;
      for (const [partition, { state = "running", trouble }] of Object.entries(TROUBLES)) {
        const lane = of(Number(partition));
        assert.equal(lane.state, state);
        assert.equal(lane.trouble, trouble);
        assert.equal(lane.cameraName, `Camera at door ${Number(partition) + 1}`);
      }
      assert.deepEqual([of(REMOVED).removed, of(NEVER).unused], [true, true]);
      assert.ok(of(7).stalledSince !== undefined);

      breaking.away = true;
      await page.locator("#banner").getByText(/Cannot reach kafka-1:9092/).waitFor();
      await tile(7).locator(".notice").getByText("The log is away").waitFor();
      assert.equal(await ready(), "503 The log cannot be reached");

      breaking.away = false;
      registry = healthy;
      for (const { id } of lanes.lanes()) lanes.change(id, { state: "running" });
      await until(allLive, "all are live again");
      await page.locator("#banner").waitFor({ state: "hidden" });
      assert.equal(await ready(), "200 ready");
    });
  });
});

Deno.test("a query that failed leaves the wall ready, and readyz says so", async () => {
  await withViewer({ lanes: { count: 3 } }, async (viewer, lanes) => {
    lanes.change("greyscale-1", { state: "failed" });
    const response = await fetch(`${viewer.url}readyz`);
    assert.equal(response.status, 200);
    assert.equal(
      (await response.text()).trim(),
      "ready; 1 of 3 queries have failed",
    );
  });
});
