import assert from "node:assert/strict";
import { type CameraSource, SourceError, type SourceImage } from "../../cameras/source.ts";
import { LogError } from "../../runtime/log/log.ts";
import type { Camera } from "../../cameras/camera.ts";
import { makeSource } from "../../cameras/open.ts";
import { FakeClock } from "../../runtime/testing.ts";
import type { CameraStatus } from "../../cameras/registry.ts";
import { withFolder } from "../support/folder.ts";
import { MemoryLog } from "../support/memory_log.ts";
import { until } from "../support/until.ts";
import { makeVideo } from "../support/videos.ts";
import { hurriedClock, runToMemory, TOPIC } from "./kit.ts";

const image = (n: number): SourceImage => ({
  value: new Uint8Array([n]),
  contentType: "image/jpeg",
  timestamp: 1000 + n,
  width: 4,
  height: 3,
  headers: { label: "cat", seq: "mine" },
});

/** A live source that plays one script after the other, an Error where it fails. */
function scripted(
  ...scripts: readonly (readonly (number | Error | "silence")[])[]
): CameraSource & { opened: number } {
  return {
    description: "script",
    kind: "live",
    opened: 0,
    async *open({ signal }) {
      for (const step of scripts[this.opened++] ?? []) {
        if (step instanceof Error) throw step;
        if (step === "silence") {
          await new Promise<void>((resolve) =>
            signal.addEventListener("abort", () => resolve(), { once: true })
          );
          return;
        }
        yield await Promise.resolve(image(step));
      }
    },
  };
}

Deno.test("frames carry content type, session, their own count, size and annotations", async () => {
  const { records } = await runToMemory("", { source: scripted([1, 2]), limit: 2 });
  const { session, ...headers } = records[1]!.headers;
  assert.match(session!, /^[0-9a-f]{16}$/);
  assert.deepEqual(headers, {
    "content-type": "image/jpeg",
    seq: "1",
    width: "4",
    height: "3",
    label: "cat",
  });
  assert.equal(records[1]!.timestamp, 1002);
  assert.equal(records[1]!.key, "CAMERA-1");
});

Deno.test("a live source that fails or ends is opened again; session and count continue", async () => {
  const source = scripted(
    [1, new SourceError("UNREACHABLE", "Cable cut")],
    [new SourceError("UNREACHABLE", "No route")],
    [2, 3],
    [4, new SourceError("UNAUTHORIZED", "Not yet")],
    [5],
  );
  const { records, summary, reports } = await runToMemory("", {
    source,
    limit: 5,
    clock: hurriedClock,
  });
  assert.deepEqual(records.map(({ value }) => value[0]), [1, 2, 3, 4, 5]);
  assert.deepEqual(records.map(({ headers }) => headers.seq), ["0", "1", "2", "3", "4"]);
  assert.equal(new Set(records.map(({ headers }) => headers.session)).size, 1);
  assert.equal(summary.reopened, 4);
  assert.deepEqual(reports.map((line) => line.replace(/in [\d.]+ s/, "later")), [
    "Cable cut; trying again later",
    "No route; trying again later",
    "Source script ended; trying again later",
    "Not yet; trying again later",
  ]);
});

Deno.test("a wrong password before the first frame is final", async () => {
  const refusal = new SourceError("UNAUTHORIZED", "Wrong password");
  await assert.rejects(runToMemory("", { source: scripted([refusal]) }), refusal);
});

Deno.test("one that keeps trying goes on after every failure, with one session and one count", async () => {
  const script = scripted(
    [new SourceError("UNAUTHORIZED", "Wrong password")],
    [1, new SourceError("UNREACHABLE", "Cable cut")],
    [2, new TypeError("A bug of its own")],
    [3],
  );
  const statuses: CameraStatus[] = [];
  let made = 0;
  const { records, summary, reports } = await runToMemory("", {
    source() {
      made++;
      return Promise.resolve(script);
    },
    limit: 3,
    clock: hurriedClock,
    keepTrying: true,
    onStatus: (status) => statuses.push(status),
  });
  // Not again after a failure that opening it again may mend: it knows what it has learned.
  assert.equal(made, 3);
  assert.deepEqual(records.map(({ value }) => value[0]), [1, 2, 3]);
  assert.deepEqual(records.map(({ headers }) => headers.seq), ["0", "1", "2"]);
  assert.equal(new Set(records.map(({ headers }) => headers.session)).size, 1);
  assert.deepEqual(summary.failures, { UNAUTHORIZED: 1, UNREACHABLE: 1, OTHER: 1 });
  assert.deepEqual(reports.map((line) => line.replace(/in [\d.]+ s/, "later")), [
    "Wrong password; trying again later",
    "Cable cut; trying again later",
    "A bug of its own; trying again later",
  ]);
  const failed = (error: string, reason: string, restarts: number) => [
    { state: "waiting", restarts, error, reason },
    { state: "running", restarts },
  ];
  assert.deepEqual(statuses, [
    { state: "running", restarts: 0 },
    ...failed("Wrong password", "UNAUTHORIZED", 1),
    ...failed("Cable cut", "UNREACHABLE", 2),
    ...failed("A bug of its own", "OTHER", 3),
    { state: "ended", restarts: 3 },
  ]);
});

Deno.test("a failure that repeats keeps the time when it began", async () => {
  const cut = new SourceError("UNREACHABLE", "Cable cut");
  const states: string[] = [];
  await runToMemory("", {
    source: scripted([cut], [cut], [cut], [1]),
    limit: 1,
    clock: hurriedClock,
    keepTrying: true,
    onStatus: ({ state }) => states.push(state),
  });
  assert.deepEqual(states, ["running", "waiting", "running", "ended"]);
});

Deno.test("one that keeps trying looks at its source again: a film that is missed plays once it is there", async () => {
  await withFolder(async (folder) => {
    const film = `${folder}/film.mp4`;
    const stop = new AbortController();
    let camera: Camera | undefined;
    const running = runToMemory("", {
      source: () => makeSource(film, { loop: true }),
      keepTrying: true,
      clock: hurriedClock,
      stop,
      onCamera: (begun) => camera = begun,
    });
    await until("the film is missed", () => camera?.status.reason === "MISSING");
    const made = `${folder}/made.mp4`;
    await makeVideo(made, { frames: 25 });
    await Deno.rename(made, film);
    await until("the failure is over", () => camera!.status.error === undefined);
    assert.equal(camera!.status.state, "running");
    stop.abort();
    await running;
    assert.equal(camera!.status.state, "stopped");
  });
});

Deno.test("one that keeps trying survives a log that refuses for good, and counts what it lost", async () => {
  const log = new MemoryLog();
  let refusals = 0;
  log.beforeAppend = () => {
    if (refusals++ < 2) throw new LogError("AUTHENTICATION_FAILED", "No write permission");
  };
  const seen: CameraStatus[] = [];
  const { records, summary } = await runToMemory("", {
    log,
    source: scripted(...Array.from({ length: 9 }, () => [1, "silence"] as const)),
    settings: { stallMs: 40 },
    limit: 3,
    keepTrying: true,
    onStatus: (status) => seen.push(status),
  });
  assert.equal(records.length + summary.dropped, 3);
  assert.deepEqual(summary.droppedBy, { overflow: 0, "too-large": 0, stopped: 2 });
  assert.equal(summary.failures.OTHER, 2);
  assert.ok(seen.some(({ error }) => error === "No write permission"));
});

Deno.test("a camera whose password stays wrong is tried ever less often", async () => {
  const wrong = [new SourceError("UNAUTHORIZED", "Wrong password")];
  const script = scripted(wrong, wrong, wrong, wrong, [1]);
  const { reports } = await runToMemory("", {
    source: () => Promise.resolve(script),
    limit: 1,
    clock: hurriedClock,
    keepTrying: true,
  });
  const [first = 0, , fourth = 0] = reports.map((line) => Number(/in ([\d.]+) s$/.exec(line)?.[1]));
  assert.ok(fourth > 2 * first, reports.join("\n"));
});

Deno.test("a live source that falls silent is opened again", async () => {
  const { summary, reports } = await runToMemory("", {
    source: scripted([1, "silence"], [2]),
    settings: { stallMs: 40 },
    limit: 2,
  });
  assert.equal(summary.published, 2);
  assert.match(reports[0]!, /^Source script was silent for 0.04 s/);
});

Deno.test("a live source that limits its opening itself may be silent until it is open, and no longer", async () => {
  const clock = new FakeClock();
  const stop = new AbortController();
  const left: boolean[] = [];
  const source: CameraSource = {
    description: "slow",
    kind: "live",
    // deno-lint-ignore require-yield
    async *open({ onOpening, onActivity, signal }) {
      onOpening?.();
      await clock.advance(60_000);
      left.push(signal.aborted);
      onActivity?.();
      await clock.advance(30_000);
      left.push(signal.aborted);
      stop.abort();
    },
  };
  await runToMemory("", { source, clock, stop });
  assert.deepEqual(left, [false, true]);
});

Deno.test("a live source that waits for the log is not silent", async () => {
  const log = new MemoryLog();
  log.beforeAppend = () => new Promise((resolve) => setTimeout(resolve, 120));
  const { summary } = await runToMemory("", {
    log,
    source: scripted([1, 2, 3, 4]),
    bufferFrames: 1,
    overflow: "wait",
    settings: { stallMs: 40 },
    limit: 4,
  });
  assert.equal(summary.published, 4);
  assert.deepEqual(summary.failures, {});
});

Deno.test("a log that is away costs a live source frames, which its count shows", async () => {
  const log = new MemoryLog();
  let away = false;
  log.beforeAppend = () => {
    if (away) throw new LogError("UNREACHABLE", "Away");
  };
  const source: CameraSource = {
    description: "steady",
    kind: "live",
    async *open() {
      for (let n = 0; n < 40; n++) {
        away = n >= 10 && n < 30;
        yield image(n);
        await new Promise((resolve) => setTimeout(resolve));
      }
    },
  };
  const { records, summary } = await runToMemory("", {
    source,
    log,
    limit: 40,
    bufferFrames: 5,
    clock: hurriedClock,
  });
  assert.ok(summary.dropped > 0);
  assert.equal(summary.published + summary.dropped, 40);
  const numbers = records.map(({ headers }) => Number(headers.seq));
  assert.deepEqual(numbers, [...numbers].sort((a, b) => a - b));
  assert.equal(numbers.at(-1)! + 1 - numbers.length, summary.dropped, "each gap is a drop");
});

Deno.test("what came before a source failed for good is published", async () => {
  const source = scripted([1, 2, 3, new SourceError("CORRUPT", "Torn tape")]);
  const log = new MemoryLog();
  log.beforeAppend = () => new Promise((resolve) => setTimeout(resolve, 10));
  await assert.rejects(runToMemory("", { source, log }), /Torn tape/);
  assert.equal(log.records(TOPIC, 0).length, 3);
});

Deno.test("stopping publishes what is buffered, or gives up after a while and says so", async () => {
  const stopping = (stop: AbortController): CameraSource => ({
    description: "short",
    kind: "live",
    async *open() {
      for (let n = 0; n < 5; n++) yield await Promise.resolve(image(n));
      stop.abort();
    },
  });
  const first = new AbortController();
  const good = await runToMemory("", { source: stopping(first), stop: first });
  assert.equal(good.summary.published, 5);

  const second = new AbortController();
  const log = new MemoryLog();
  log.beforeAppend = () => {
    throw new LogError("UNREACHABLE", "Away");
  };
  const { summary, reports } = await runToMemory("", {
    source: stopping(second),
    stop: second,
    log,
    clock: hurriedClock,
  });
  assert.deepEqual(summary.droppedBy, { overflow: 0, "too-large": 0, stopped: 5 });
  assert.match(reports.at(-1)!, /did not accept the last 5 frames within 5 s: they are lost/);
});
