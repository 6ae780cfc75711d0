import assert from "node:assert/strict";
import { systemClock } from "../../runtime/base/clock.ts";
import { MemoryLog } from "../../runtime/testing/memory_log.ts";
import { paintCode } from "../support/fake_lanes.ts";
import { withBrowser } from "./browser.ts";
import { until, withViewer } from "./kit.ts";

const TOPIC = "VideoStreaming";
const DAY = 86_400_000;

Deno.test("alerts are listed by days, filtered, seen and gone through by key", async () => {
  const log = new MemoryLog();
  await log.createTopic(TOPIC, 2);
  const now = Date.now();
  const begin = now - 2 * DAY;
  // Two days of one frame a minute, with a pause of some hours.
  for (const partition of [0, 1]) {
    log.append(
      TOPIC,
      partition,
      Array.from(
        { length: 2 * 1_440 },
        (_, minute) => ({ minute, timestamp: begin + minute * 60_000 }),
      )
        .filter(({ minute }) => minute < 600 || minute > 900)
        .map(({ minute, timestamp }) => ({
          key: null,
          value: paintCode(partition, minute, 160, 90),
          timestamp,
          headers: {},
        })),
    );
  }
  let ahead = 0;
  const clock = { ...systemClock, now: () => systemClock.now() + ahead };
  const options = { log, topics: [TOPIC], lanes: { count: 2 }, clock };
  await withViewer(options, async (viewer, lanes) => {
    lanes.change("greyscale-0", { cameraName: "Loading dock", place: "Hall 2" });
    const alert = (lane: number, label: string, ago: number) => {
      const at = now - ago;
      const window = { firstTimestamp: at, lastTimestamp: at + 60_000, frames: 2, gaps: 0 };
      for (const state of ["start", "end"] as const) {
        lanes.push(`greyscale-${lane}`, {
          result: {
            window: { ...window, firstOffset: 10, lastOffset: 11 },
            alert: { id: `${label}-${ago}`, state, label, peak: 0.9 },
          },
        });
      }
    };
    alert(0, "person", 60_000);
    alert(1, "car", 120_000);
    alert(1, "person", DAY + 60_000);
    for (let each = 0; each < 20; each++) alert(0, "motion", 3_600_000 + each * 60_000);
    await withBrowser(async (open) => {
      const page = await open(`${viewer.url}?time=1`);
      await page.getByRole("button", { name: /^Alerts/ }).first().click();
      const items = page.locator(".alert-item");
      const filter = page.getByRole("group", { name: "Filter" });
      await until(async () => await items.count() === 23, "all alerts");
      const some = await open(`${viewer.url}cameras/2`);
      await some.keyboard.press("a");
      await until(async () => await some.locator(".alert-item").count() > 0);
      assert.deepEqual(
        await some.locator(".about > :nth-child(2)").allTextContents(),
        ["CAMERA-2", "CAMERA-2"],
        "a page of some cameras lists their alerts alone",
      );
      assert.equal(await page.locator(".drawer .icon-button:focus").count(), 1);
      await items.first().focus();
      const focused = () => page.locator(".alert-item:focus").textContent();
      assert.match(String(await focused()), /person 90 %Loading dock/, "the newest one");
      alert(1, "bicycle", 30_000);
      await until(async () => await items.count() === 24, "a new one");
      assert.match(String(await focused()), /person 90 %Loading dock/, "and keeps it");
      const days = await page.locator(".day").allTextContents();
      assert.equal(days.length >= 2, true);
      assert.equal(days.at(-1) === "Today", false, "yesterday's has a heading of its own");
      await page.getByText("24 unseen").waitFor();
      await filter.getByLabel("Kind of alert").selectOption("person");
      await until(async () => await items.count() === 2, "persons alone");
      await filter.getByLabel("Camera or place").selectOption({ label: "Hall 2" });
      await until(async () => await items.count() === 1, "those of a place");
      assert.match(
        (await items.first().textContent())!,
        /person 90 %Loading dock \(CAMERA-1\) · Hall 2/,
      );
      await filter.getByLabel("Camera or place").selectOption("");
      await filter.getByLabel("Time").selectOption({ label: "Last hour" });
      await until(async () => await items.count() === 1, "those of the last hour");
      ahead = 7_200_000;
      await until(async () => await items.count() === 0, "an hour has passed");
      ahead = 0;
      await until(async () => await items.count() === 1, "the clock is set back");
      await filter.getByLabel("Time").selectOption({ label: "Any time" });
      // Through the list by key: each is opened, and seen.
      await page.locator(".drawer h2").click();
      await page.keyboard.press("j");
      await page.getByText("23 unseen").waitFor();
      await page.keyboard.press("j");
      await page.getByText("22 unseen").waitFor();
      assert.equal(await page.locator('.alert-item[aria-current="true"]').count(), 1);
      await page.keyboard.press("k");
      await page.locator('.stage [data-lane="greyscale-0"]').waitFor();
      await filter.getByLabel("Unseen only").check();
      await until(async () => await items.count() === 0, "no unseen person");
      await page.getByText("No alert matches").waitFor();
      const tab = await page.context().newPage();
      await tab.goto(viewer.url);
      await tab.getByRole("button", { name: /^Alerts/ }).first().click();
      await tab.locator(".unseen-alert").first().waitFor();
      await page.getByRole("button", { name: "Mark all as seen" }).click();
      await tab.locator(".unseen-alert").first().waitFor({ state: "detached" });
      await tab.close();
      await page.reload();
      await page.getByRole("button", { name: /^Alerts/ }).first().click();
      await until(async () => await items.count() === 24, "all alerts again");
      assert.equal(await page.locator(".unseen-alert").count(), 0);
      // The pause is a gap on the track, and motion has a row of its own.
      await page.locator(".gap").first().waitFor({ state: "attached" });
      await page.locator(".mark.motion").first().waitFor({ state: "attached" });
      await page.locator(".mark.alerts").first().waitFor({ state: "attached" });
      const thumbnail = items.nth(3).locator("img");
      const still = await thumbnail.getAttribute("src");
      await items.nth(3).hover();
      await until(async () => await thumbnail.getAttribute("src") !== still, "the thumbnail plays");
      // A click leaves the focus there.
      await thumbnail.click();
      // Frames are gone where this one was: its clip cannot be made. It moves the others down.
      alert(1, "lost", 2 * DAY - 700 * 60_000);
      alert(1, "bicycle", 20_000);
      await until(async () => await items.count() === 26);
      await page.mouse.move(5, 400);
      await until(
        async () => await page.locator('.alerts img[src*="/api/frame"]').count() === 0,
        "no thumbnail plays on",
      );
      await page.getByRole("link", { name: "Clip of lost as MP4" }).click();
      await page.getByRole("dialog").getByText("The log does not hold these frames").waitFor();
    });
  });
});
