import assert from "node:assert/strict";
import { NO_TOTALS, type StreamingQueryProgress } from "../../runtime/definition/progress.ts";
import { paintCode } from "../support/fake_lanes.ts";
import { withBrowser } from "./browser.ts";
import { recorded, until, withViewer } from "./kit.ts";

const percentiles = (ms: number) => ({ P0: 0, P50: ms, P90: ms, P95: ms, P99: 2 * ms });

/** A report on a batch of 10 frames; 5 more wait in the log. */
function progressOf(batchId: number): StreamingQueryProgress {
  const offsets = (end: number) => ({ VideoStreaming: { 0: end } });
  return {
    id: "the id",
    runId: "the run",
    name: "QUERY-PARTITION-0",
    timestamp: "2026-11-21T14:03:22.000Z",
    batchId,
    batchDuration: 12,
    numInputRows: 10,
    inputRowsPerSecond: 250,
    processedRowsPerSecond: 9.96,
    durationMs: { walCommit: 1, addBatch: 1_500, commitOffsets: 2 },
    eventTime: {},
    stateOperators: [],
    sources: [{
      description: "",
      startOffset: offsets(10 * batchId),
      endOffset: offsets(10 * batchId + 10),
      latestOffset: offsets(10 * batchId + 15),
      numInputRows: 10,
      metrics: {},
    }],
    sink: { description: "images:out", numOutputRows: 10 },
    observedMetrics: {},
    latencies: {
      processingLatencyMs: percentiles(1),
      sourceQueuingLatencyMs: percentiles(2),
      e2eLatencyMs: percentiles(40),
    },
    query: "greyscale",
    topic: "VideoStreaming",
    partition: 0,
    camera: "CAMERA-1",
    totals: { ...NO_TOTALS, duplicates: 1, orderViolations: 12_345 },
  };
}

Deno.test("the page of a query shows its reports, plan and offsets", async () => {
  await withViewer({ lanes: { count: 1 } }, async (viewer, lanes) => {
    lanes.push("greyscale-0");
    lanes.plan = "stream → greyscale";
    lanes.change("greyscale-0", { state: "failed", exception: "Out of luck", lagFrames: 5 });
    lanes.progressReports = Array.from({ length: 40 }, (_, batch) => progressOf(batch));
    await withBrowser(async (open) => {
      const page = await open(`${viewer.url}queries/greyscale-0`);
      await page.getByText("Out of luck").waitFor();
      await page.getByText("stream → greyscale").waitFor();
      const rows = async (table: string) =>
        (await page.locator(`${table} tr`).allInnerTexts()).map((row) => row.split(/\s*\t\s*/));
      assert.deepEqual((await rows(".offsets"))[1], [
        "VideoStreaming",
        "0",
        "390",
        "400",
        "405",
        "5",
      ]);
      const batches = await rows(".batches");
      assert.equal(batches.length, 26);
      assert.deepEqual(batches[1]!.toSpliced(1, 1), [
        ...["39", "10", "250", "10.0", "12 ms", "1 ms", "1.5 s", "2 ms", "40 ms", "80 ms"],
      ]);
      const values = await page.locator(".chart b").allTextContents();
      assert.deepEqual(values, ["250", "10.0", "12.0", "40.0", "80.0", "5.0"]);
      const fact = (name: string) => page.locator(".facts div", { hasText: name }).innerText();
      assert.match(await fact("Out of order"), /12\.3k frames/);
      assert.match(await fact("Sink"), /images:out/);
    });
  });
});

Deno.test("columns, groups and time are chosen by keys and controls", async () => {
  const time = (offset: number) => Date.now() - 60_000 + offset * 100;
  const log = await recorded(100, time, (...ids) => paintCode(...ids, 160, 90));
  await withViewer({ log, lanes: { count: 2 } }, async (viewer, lanes) => {
    lanes.run(5);
    await withBrowser(async (open) => {
      const page = await open(viewer.url);
      await page.locator(".tile").nth(1).waitFor();
      const press = (key: string) => page.keyboard.press(key);
      const addressed = (part: RegExp) => until(() => part.test(page.url()), `${part}`);
      /** The next key goes to the wall once the browser has moved the focus there. */
      const closed = async () => {
        await press("Escape");
        await until(() => page.evaluate("document.activeElement === document.body"));
      };
      for (const [key, columns] of [["+", 5], ["+", 6], ["-", 5]] as const) {
        await press(key);
        await addressed(new RegExp(`columns=${columns}$`));
      }
      await press("0");
      await addressed(/\/$/);
      await page.getByLabel("Columns").selectOption("3");
      await addressed(/columns=3$/);

      await press("?");
      await page.getByRole("heading", { name: "Keyboard" }).waitFor();
      await closed();

      await press("g");
      const dialog = page.getByRole("dialog");
      const camera = (number: number) => dialog.getByRole("checkbox", { name: `CAMERA-${number}` });
      const save = dialog.getByRole("button", { name: "Save group" });
      await camera(1).check();
      await camera(2).check();
      await dialog.getByLabel("Name").fill("Yard");
      await save.click();
      await addressed(/groups=Yard:1-2&/);
      await dialog.getByRole("button", { name: "Yard", exact: true }).click();
      await camera(1).uncheck();
      await save.click();
      await addressed(/groups=Yard:2&/);
      await closed();
      await press("2");
      await addressed(/group=Yard&/);
      await press("g");
      await dialog.getByRole("button", { name: "Delete group Yard" }).click();
      await addressed(/\?columns=3$/);
      await closed();

      await press("t");
      await page.getByRole("button", { name: "Pause (Space)" }).click();
      await page.getByRole("button", { name: "Play (Space)" }).waitFor();
      assert.equal(await page.locator('[href="#play"]').isVisible(), true);
      assert.equal(await page.locator('[href="#pause"]').isVisible(), false);
      await page.setViewportSize({ width: 290, height: 600 });
      const clock = page.locator(".clock").first();
      const { width = 0 } = await page.locator(".tile").first().boundingBox() ?? {};
      assert.ok(width < 150 && await clock.isVisible(), "also a small tile says when it was");
      await page.locator(".track").press("End");
      await page.locator("body:not(.looking-back)").waitFor();
    });
  });
});

Deno.test("what is wrong with clips of alerts waits for the dialog that is open for another clip", async () => {
  const time = (offset: number) => Date.now() - 60_000 + offset * 100;
  const log = await recorded(100, time, (...ids) => paintCode(...ids, 160, 90));
  await withViewer({ log, lanes: { count: 2 } }, async (viewer, lanes) => {
    for (const id of ["greyscale-0", "greyscale-1"]) {
      for (const state of ["start", "end"] as const) {
        lanes.push(id, { result: { alert: { id, state, label: "car", peak: 1 } } });
      }
    }
    await withBrowser(async (open) => {
      const page = await open(viewer.url);
      const asked = Promise.withResolvers<void>();
      const answers = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
      await page.route("**/api/clip.mp4?*", async (route) => {
        asked.resolve();
        await answers[route.request().url().includes("greyscale-0") ? 0 : 1]!.promise;
        await route.fulfill({ status: 404, json: { error: "Its frames are gone" } });
      });
      await page.locator('[data-lane="greyscale-0"][data-offset]').waitFor();
      await page.keyboard.press("a");
      for (const at of [0, 1]) await page.locator(".alerts .clip").nth(at).click();
      await asked.promise;
      await page.locator('[data-lane="greyscale-0"]').focus();
      await page.keyboard.press("c");
      const title = (camera: string) => page.getByRole("heading", { name: `Clip of ${camera}` });
      await title("CAMERA-1").waitFor();
      for (const lane of [1, 0]) {
        const reason = page.waitForResponse((response) =>
          response.request().method() === "GET" && response.url().includes(`greyscale-${lane}`)
        );
        answers[lane]!.resolve();
        await reason;
      }
      for (const camera of ["CAMERA-2", "CAMERA-1"]) {
        await page.keyboard.press("Escape");
        await title(camera).waitFor();
        await page.getByText("Its frames are gone").waitFor();
      }
    });
  });
});
