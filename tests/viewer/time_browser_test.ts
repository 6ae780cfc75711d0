import assert from "node:assert/strict";
import type { Page } from "playwright-core";
import { FakeClock } from "../../runtime/testing/fake_clock.ts";
import { SPEEDS } from "../../viewer/protocol.ts";
import type { Viewer, ViewerOptions } from "../../viewer/viewer.ts";
import { type FakeLanes, paintCode } from "../support/fake_lanes.ts";
import { codeIn, codeOf, offsetOf, withBrowser } from "./browser.ts";
import { recorded, until, withViewer } from "./kit.ts";

const TOPIC = "VideoStreaming";
const FRAMES = 300;
const EVERY_MS = 100;
const BEGIN = Date.now() - 3_600_000;
const time = (offset: number) => BEGIN + offset * EVERY_MS;

/** A viewer of two lanes with half a minute of past, an hour ago. */
async function withPast(
  body: (viewer: Viewer, lanes: FakeLanes) => Promise<void>,
  options: Partial<ViewerOptions> = {},
  times = time,
): Promise<void> {
  const log = await recorded(FRAMES, times, (...ids) => paintCode(...ids, 160, 90));
  const all = { log, topics: [TOPIC], lanes: { count: 2, width: 160, height: 90 }, ...options };
  await withViewer(all, async (viewer, lanes) => {
    for (const { id } of lanes.lanes()) {
      lanes.push(id, { offset: FRAMES - 1, timestamp: times(FRAMES - 1) });
    }
    await body(viewer, lanes);
  });
}

async function shows(page: Page, lane: string, offset: number): Promise<void> {
  await until(async () => await offsetOf(page, lane) === offset, `${lane} shows ${offset}`);
  assert.equal(await codeOf(page, lane), offset, "the pixels are those of the offset");
}

Deno.test("pause, steps, jumps and live land on the exact frames", async () => {
  await withPast(async (viewer, lanes) => {
    await withBrowser(async (open) => {
      const page = await open(`${viewer.url}?focus=greyscale-0`);
      await shows(page, "greyscale-0", FRAMES - 1);
      await page.keyboard.press(" ");
      await page.getByRole("button", { name: "Play (Space)" }).waitFor();
      // In the past a tile shows when it was, and no number of now.
      const tile = page.locator('[data-lane="greyscale-0"]');
      await tile.locator(".clock").waitFor();
      assert.equal(await tile.locator(".rate").isVisible(), false);
      lanes.push("greyscale-0");
      await page.keyboard.press(",");
      await shows(page, "greyscale-0", FRAMES - 2);
      for (let i = 0; i < 7; i++) await page.keyboard.press(",");
      await shows(page, "greyscale-0", FRAMES - 9);
      await shows(page, "greyscale-1", FRAMES - 9);
      await page.keyboard.press("Shift+<");
      await shows(page, "greyscale-0", FRAMES - 19);
      await page.getByRole("button", { name: "One frame forward (.)" }).click();
      await shows(page, "greyscale-0", FRAMES - 18);
      const jump = page.getByLabel("Jump to a time or an offset");
      await jump.fill("42");
      await jump.press("Enter");
      await shows(page, "greyscale-0", 42);
      await shows(page, "greyscale-1", 42);
      await jump.fill(String(time(120) + 50));
      await jump.press("Enter");
      await shows(page, "greyscale-0", 120);
      await jump.fill("nonsense");
      await jump.press("Enter");
      assert.equal(await jump.getAttribute("aria-invalid"), "true");
      await shows(page, "greyscale-0", 120);
      await page.getByRole("button", { name: "Live", exact: true }).click();
      await shows(page, "greyscale-0", FRAMES);
      await tile.locator(".rate").waitFor();
      assert.equal(await tile.locator(".clock").isVisible(), false);
    });
  });
});

Deno.test("the track scrubs, the keys step on it, playing continues from there", async () => {
  await withPast(async (viewer) => {
    await withBrowser(async (open) => {
      const page = await open(`${viewer.url}?time=1`);
      const track = page.getByRole("slider");
      await until(async () => Number(await track.getAttribute("aria-valuemax")) > 0);
      const box = (await track.boundingBox())!;
      await page.mouse.move(box.x + box.width * 0.9, box.y + 8);
      await page.mouse.down();
      await page.mouse.move(box.x + box.width * 0.5, box.y + 8, { steps: 12 });
      await page.mouse.up();
      await until(async () => Math.abs(await offsetOf(page, "greyscale-0") - FRAMES / 2) < 4);
      const middle = await offsetOf(page, "greyscale-0");
      assert.equal(await offsetOf(page, "greyscale-1"), middle, "all lanes show the same moment");
      await track.press("ArrowRight");
      await shows(page, "greyscale-0", middle + 1);
      await track.press("Home");
      await shows(page, "greyscale-0", 0);
      await page.getByLabel("Speed").selectOption("8");
      await page.getByRole("button", { name: "Play (Space)" }).click();
      await until(async () => await offsetOf(page, "greyscale-1") > 40, "it plays");
      await page.keyboard.press(" ");
      const stopped = await offsetOf(page, "greyscale-0");
      await page.keyboard.press(".");
      await until(async () => await offsetOf(page, "greyscale-0") > stopped);
      // A picture of the playing may be drawn between the two.
      const code = () => codeOf(page, "greyscale-0");
      await until(async () => await code() === await offsetOf(page, "greyscale-0"));
    });
  });
});

Deno.test("a part of the recording stands still while the pointer drags over it", async () => {
  await withPast(
    async (viewer) => {
      await withBrowser(async (open) => {
        const page = await open(`${viewer.url}?time=1`);
        const track = page.getByRole("slider");
        await page.getByLabel("Part of the recording").selectOption("1 min");
        await until(async () => Number(await track.getAttribute("aria-valuemin")) > time(0));
        const { x, y, width } = (await track.boundingBox())!;
        await page.mouse.move(x + width * 0.5, y + 8);
        await page.mouse.down();
        for (let share = 50; share >= 25; share--) {
          await page.mouse.move(x + width * share / 100, y + 8);
          // Of the last minute, a frame a second.
          const wanted = FRAMES - 1 - 60 + 0.6 * share;
          await until(async () => Math.abs(await offsetOf(page, "greyscale-0") - wanted) <= 1);
        }
        await page.mouse.up();
      });
    },
    {},
    (offset) => BEGIN + offset * 1_000,
  );
});

Deno.test("a clip that cannot be made says why", async () => {
  await withPast(
    async (viewer) => {
      await withBrowser(async (open) => {
        const page = await open(viewer.url);
        await shows(page, "greyscale-0", FRAMES - 1);
        await page.keyboard.press("c");
        await page.getByLabel("From", { exact: true }).fill("2020-01-01 10:00");
        await page.getByLabel("To", { exact: true }).fill("2020-01-01 11:00");
        const download = page.getByRole("button", { name: "Download MP4" });
        await download.click();
        await page.getByText("The log does not hold these frames").waitFor();
        await page.getByLabel("To", { exact: true }).fill("-1s");
        const [clip] = await Promise.all([page.waitForEvent("download"), download.click()]);
        assert.equal(clip.suggestedFilename(), `camera-1-0-${FRAMES - 1}.mp4`);
        await page.getByRole("dialog").waitFor({ state: "hidden" });
      });
    },
  );
});

Deno.test("pointing at the track shows what was recorded there, and goes nowhere", async () => {
  await withPast(async (viewer) => {
    await withBrowser(async (open) => {
      const page = await open(`${viewer.url}?time=1`);
      const track = page.getByRole("slider");
      await until(async () => Number(await track.getAttribute("aria-valuemax")) > 0);
      const { x, y, width } = (await track.boundingBox())!;
      for (const share of [0.5, 0.25]) {
        await page.mouse.move(x + width * share, y + 8);
        const seen = async () =>
          await page.locator(".hover img[src]").count() === 1 && await codeIn(page, ".hover img");
        await until(async () => Math.abs(Number(await seen()) - share * FRAMES) < 4);
      }
      await page.mouse.move(x, y - 200);
      await page.locator(".hover").waitFor({ state: "hidden" });
      assert.equal(await offsetOf(page, "greyscale-0"), FRAMES - 1, "still live");
    });
  });
});

Deno.test("each speed goes through the capture times that many times as fast as they passed", async () => {
  const clock = new FakeClock(Date.now());
  await withPast(async (viewer, lanes) => {
    await withBrowser(async (open) => {
      const page = await open(`${viewer.url}?time=1&focus=greyscale-0`);
      await shows(page, "greyscale-0", FRAMES - 1);
      const jump = page.getByLabel("Jump to a time or an offset");
      for (const speed of SPEEDS) {
        await jump.fill("100");
        await jump.press("Enter");
        await shows(page, "greyscale-0", 100);
        await page.getByLabel("Speed").selectOption(String(speed));
        const waiting = clock.sleeping;
        await page.getByRole("button", { name: "Play (Space)" }).click();
        await until(() => clock.sleeping >= waiting + 2, "both lanes wait for their next frame");
        for (const seconds of [1, 2]) {
          await clock.advance(1_000);
          const offset = 100 + seconds * speed * 1_000 / EVERY_MS;
          await shows(page, "greyscale-0", offset);
          await shows(page, "greyscale-1", offset);
          const moment = await page.locator(".moment").textContent();
          assert.equal(new Date(moment!).getTime(), time(offset));
        }
        await page.keyboard.press(" ");
        await page.getByRole("button", { name: "Play (Space)" }).waitFor();
      }
      await page.keyboard.press("l");
      await page.getByRole("button", { name: "Live", pressed: true }).waitFor();
      const { offset } = lanes.push("greyscale-0", { timestamp: clock.now() });
      // On a busy machine a live picture waits for its turn, by this clock too.
      await clock.advance(1_000);
      await shows(page, "greyscale-0", offset);
      assert.equal(await page.getByLabel("Speed").inputValue(), "1", "live has one speed");
    });
  }, { clock });
});

Deno.test("Back from a camera leaves a paused wall paused", async () => {
  await withPast(async (viewer) => {
    await withBrowser(async (open) => {
      const page = await open(viewer.url);
      await shows(page, "greyscale-1", FRAMES - 1);
      await page.keyboard.press("t");
      await page.keyboard.press(" ");
      await page.getByRole("button", { name: "Play (Space)" }).waitFor();
      await page.evaluate(`new MutationObserver(() => {
        if (!document.body.classList.contains("looking-back")) globalThis.live = true;
      }).observe(document.body, { attributeFilter: ["class"] })`);
      await page.keyboard.press("Enter");
      await page.locator(".stage").waitFor();
      await page.goBack();
      await page.locator(".stage").waitFor({ state: "hidden" });
      await page.goForward();
      await page.locator(".stage").waitFor();
      // Commands go one at a time: what Back had commanded came before this one.
      await page.keyboard.press(",");
      await until(() => Promise.resolve(/offset=298/.test(page.url())));
      assert.equal(await page.evaluate("globalThis.live"), undefined);
    });
  });
});

Deno.test("a link leads to the very frame, and the address follows the steps", async () => {
  await withPast(async (viewer) => {
    await withBrowser(async (open) => {
      const page = await open(`${viewer.url}?focus=greyscale-1&offset=77`);
      await shows(page, "greyscale-1", 77);
      await page.keyboard.press(".");
      await shows(page, "greyscale-1", 78);
      assert.match(page.url(), /offset=78$/);
      await page.reload();
      await shows(page, "greyscale-1", 78);
      await page.keyboard.press("l");
      await shows(page, "greyscale-1", FRAMES - 1);
      assert.doesNotMatch(page.url(), /offset/);
      // The frame is that of the selected camera, and the link to the cameras leads nowhere else.
      const wall = await open(viewer.url, {
        viewport: { width: 360, height: 740 },
        isMobile: true,
      });
      await shows(wall, "greyscale-1", FRAMES - 1);
      await wall.keyboard.press("t");
      const outside = await wall.locator(".transport").evaluate((root) =>
        [...root.querySelectorAll("*")].filter((each) => each.getBoundingClientRect().right > 360)
          .map(({ className }) => className)
      );
      assert.deepEqual(outside, [], "the time bar fits a phone");
      await wall.keyboard.press("ArrowRight");
      await wall.keyboard.press(" ");
      await until(
        () => /lead=greyscale-1&offset=299$/.test(wall.url()),
        "a pause is in the address",
      );
      await wall.locator(".skip").focus();
      await wall.keyboard.press("Enter");
      await wall.keyboard.press(",");
      await until(() => /lead=greyscale-1&offset=298$/.test(wall.url()));
      await wall.reload();
      await shows(wall, "greyscale-1", 298);
      assert.match(wall.url(), /lead=greyscale-1&offset=298$/);
      await wall.getByLabel("Jump to a time or an offset").fill("42");
      await wall.keyboard.press("Enter");
      await shows(wall, "greyscale-1", 42);
      // The connection is lost with the next message: the command that was in it.
      await wall.evaluate(`{
        const { prototype } = WebSocket, { send } = prototype;
        prototype.send = function () { prototype.send = send; this.close(); };
      }`);
      await wall.keyboard.press("l");
      await shows(wall, "greyscale-1", FRAMES - 1);
      await wall.keyboard.press(",");
      await shows(wall, "greyscale-1", FRAMES - 2);
      // Back leads from a camera to the wall, also by way of the link to the cameras.
      await wall.locator(".skip").focus();
      await wall.keyboard.press("Enter");
      await wall.keyboard.press("Enter");
      await wall.locator(".stage").waitFor();
      await wall.goBack();
      await wall.locator(".stage").waitFor({ state: "hidden" });
    });
  });
});

Deno.test("an alert is counted, listed with its picture, and opens where it began", async () => {
  await withPast(async (viewer, lanes) => {
    const alert = (state: "start" | "end", offset: number) =>
      lanes.push("greyscale-1", {
        offset: FRAMES + offset,
        timestamp: time(offset),
        result: {
          window: {
            firstOffset: offset,
            lastOffset: offset + 10,
            firstTimestamp: time(offset),
            lastTimestamp: time(offset + 10),
            frames: 11,
            gaps: 0,
          },
          alert: { id: "fight-1", state, label: "fight", peak: 0.93 },
        },
      });
    alert("start", 150);
    await withBrowser(async (open) => {
      const page = await open(viewer.url);
      await page.locator(".badge", { hasText: "1" }).waitFor();
      alert("end", 160);
      await page.getByRole("button", { name: "Alerts (A)" }).click();
      const entry = page.getByRole("button", { name: /fight 93 %/ });
      await entry.getByText("CAMERA-2").waitFor();
      await until(
        async () =>
          await entry.locator("img").evaluate((image) =>
            (image as unknown as { naturalWidth: number }).naturalWidth
          ) > 0,
        "its thumbnail is there",
      );
      await page.locator(".badge", { hasText: "1" }).waitFor({ state: "hidden" });
      const link = page.getByRole("link", { name: /Clip of fight/ });
      const [download] = await Promise.all([page.waitForEvent("download"), link.click()]);
      assert.equal(download.suggestedFilename(), "camera-2-100-219.mp4");
      const film = await Deno.readFile(await download.path());
      assert.equal(new TextDecoder().decode(film.subarray(4, 8)), "ftyp");
      await entry.click();
      await page.locator('.stage [data-lane="greyscale-1"]').waitFor();
      await shows(page, "greyscale-1", 150);
      await page.locator(".mark").first().waitFor();
      await page.goBack();
      await shows(page, "greyscale-1", FRAMES + 160);
      await page.goForward();
      await shows(page, "greyscale-1", 150);
    });
  });
});
