import assert from "node:assert/strict";
import type { Page } from "playwright-core";
import { freePort } from "../../tools/kafka/probe.ts";
import { startViewer } from "../../viewer/viewer.ts";
import { FakeLanes, paintCode } from "../support/fake_lanes.ts";
import { codeOf, offsetOf, withBrowser } from "./browser.ts";
import { recorded, until } from "./kit.ts";

const TOPIC = "VideoStreaming";

/** Waits until the page shows offset 42 of the second lane. */
async function shows(page: Page): Promise<void> {
  await until(async () => await offsetOf(page, "greyscale-1") === 42);
  assert.equal(await codeOf(page, "greyscale-1"), 42);
}

Deno.test("a frame of a lane that the server does not know yet is waited for, for a minute", async () => {
  const log = await recorded(100, (offset) => offset * 100, (...ids) => paintCode(...ids, 160, 90));
  const one = new FakeLanes({ count: 1, query: "count" });
  const rest = { metrics: () => Promise.resolve(""), topics: [TOPIC], log, port: freePort() };
  let viewer = await startViewer({ ...rest, feed: new FakeLanes({ count: 2 }) });
  try {
    await withBrowser(async (open) => {
      const address = `${viewer.url}?lead=greyscale-1&offset=42`;
      const page = await open(address);
      await shows(page);
      await viewer.stop();
      await page.getByText(/Connection lost/).waitFor();
      viewer = await startViewer({ ...rest, feed: one });
      await page.locator('[data-lane="count-0"]').waitFor();
      assert.equal(page.url(), address);
      one.add({ ...one.lanes()[0]!, id: "greyscale-1", query: "greyscale", partition: 1 });
      await shows(page);
      assert.equal(page.url(), address);
      const other = await open(viewer.url);
      await other.locator('[data-lane="count-0"]').waitFor();
      await other.evaluate(`history.pushState(false, "", "?lead=greyscale-2&offset=42")`);
      for (const go of ["goBack", "goForward", "goBack"] as const) await other[go]();
      one.add({ ...one.lanes()[0]!, id: "greyscale-2" });
      await other.locator('[data-lane="greyscale-2"]').waitFor();
      const { offset } = one.push("greyscale-2");
      await until(async () => await offsetOf(other, "greyscale-2") === offset, "back is live");
      await page.goto(`${viewer.url}?lead=greyscale-0&offset=42`);
      await page.locator('[data-lane="count-0"]').waitFor();
      await page.clock.install();
      await page.clock.fastForward(61_000);
      await until(() => page.url() === viewer.url, "what is asked for in vain is forgotten");
    });
  } finally {
    await viewer.stop();
  }
});
