import assert from "node:assert/strict";
import { freePort } from "../../tools/kafka/probe.ts";
import { startViewer } from "../../viewer/viewer.ts";
import { FakeLanes } from "../support/fake_lanes.ts";
import { codeOf, offsetOf, socketsOf, withBrowser } from "./browser.ts";
import { until, withViewer } from "./kit.ts";

Deno.test("sixteen lanes advance on one page, over one socket", async () => {
  await withViewer({ lanes: { count: 16 } }, async (viewer, lanes) => {
    lanes.run(8);
    await withBrowser(async (open) => {
      const page = await open(viewer.url);
      // Its own socket may be announced after the page has loaded.
      await until(async () => await offsetOf(page, "greyscale-0") >= 0, "a first picture");
      const sockets = socketsOf(page);
      await page.reload();
      const ids = lanes.lanes().map(({ id }) => id);
      const first = new Map<string, number>();
      for (const id of ids) {
        await until(async () => await offsetOf(page, id) >= 0, `${id} shows a picture`);
        first.set(id, await codeOf(page, id));
      }
      for (const id of ids) {
        await until(async () => await codeOf(page, id) > first.get(id)! + 3, `${id} advances`);
      }
      await until(() => sockets.size === 1, "one socket alone is open");
      const tile = page.locator('[data-lane="greyscale-4"]');
      assert.equal(await tile.locator(".camera").textContent(), "CAMERA-5");
      await tile.locator(".rate b", { hasText: "8.0" }).waitFor();
      assert.match((await tile.locator(".lag").textContent())!, /lag 0/);
      await page.locator(".count", { hasText: "16 live" }).waitFor();
    });
  });
});

Deno.test("what the tiles say of their offset is what is on the screen", async () => {
  await withViewer({ lanes: { count: 2 } }, async (viewer, lanes) => {
    await withBrowser(async (open) => {
      const page = await open(viewer.url);
      for (const offset of [5, 1_234, 40_000]) {
        lanes.push("greyscale-1", { offset });
        await until(async () => await offsetOf(page, "greyscale-1") === offset);
        assert.equal(await codeOf(page, "greyscale-1"), offset);
      }
    });
  });
});

Deno.test("focus, strip, keys and the address go together", async () => {
  await withViewer({ lanes: { count: 5 } }, async (viewer, lanes) => {
    lanes.run(8);
    await withBrowser(async (open) => {
      const page = await open(viewer.url);
      const tile = (lane: string) => page.locator(`[data-lane="${lane}"]`);
      await tile("greyscale-2").locator(".picture").click();
      await page.locator('.stage [data-lane="greyscale-2"]').waitFor();
      assert.match(page.url(), /\?focus=greyscale-2$/);
      assert.equal(await page.locator(".grid .tile").count(), 4);
      assert.equal(await page.locator(".panel h2").textContent(), "CAMERA-3");
      const before = await offsetOf(page, "greyscale-2");
      await until(async () => await offsetOf(page, "greyscale-2") > before, "it advances");
      await page.keyboard.press("Escape");
      await page.locator(".stage").waitFor({ state: "hidden" });
      assert.doesNotMatch(page.url(), /focus/);
      await page.keyboard.press("ArrowRight");
      await page.keyboard.press("Enter");
      await page.locator('.stage [data-lane="greyscale-3"]').waitFor();
      await page.goBack();
      await page.locator(".stage").waitFor({ state: "hidden" });
      const linked = await open(`${viewer.url}?focus=greyscale-4`);
      await linked.locator('.stage [data-lane="greyscale-4"]').waitFor();
    });
  });
});

Deno.test("groups, search, conditions and order choose what is shown", async () => {
  await withViewer({ lanes: { count: 6 } }, async (viewer, lanes) => {
    lanes.run(5);
    await withBrowser(async (open) => {
      const page = await open(viewer.url);
      const shown = () =>
        page.locator(".grid .tile").evaluateAll((tiles) =>
          tiles.map((tile) => tile.getAttribute("data-lane"))
        );
      await page.locator(".tile").nth(5).waitFor();
      await page.keyboard.press("g");
      await page.getByLabel("Name").fill("Gate");
      await page.getByRole("textbox", { name: "Cameras" }).fill("2, 4-5");
      assert.ok(await page.getByRole("checkbox", { name: "CAMERA-4" }).isChecked());
      await page.getByRole("button", { name: "Save group" }).click();
      await page.keyboard.press("Escape");
      await page.getByRole("button", { name: "Gate 3" }).press("Enter");
      await until(async () => (await shown()).length === 3);
      assert.deepEqual(await shown(), ["greyscale-1", "greyscale-3", "greyscale-4"]);
      assert.match(page.url(), /groups=Gate:2,4-5&group=Gate/);
      assert.equal(await page.evaluate("document.activeElement.textContent"), "Gate3");
      const linked = await open(page.url());
      await until(async () => await linked.locator(".tile").count() === 3);
      await page.keyboard.press("1");
      await until(async () => (await shown()).length === 6);
      await page.keyboard.press("/");
      await page.keyboard.type("camera-6");
      await until(async () => (await shown()).length === 1);
      await page.getByLabel("Search cameras").fill("");
      await page.keyboard.press("Escape");
      lanes.change("greyscale-1", { state: "failed", exception: "Out of luck" });
      await page.getByRole("button", { name: "1 failed" }).click();
      await until(async () => (await shown()).join() === "greyscale-1");
      await page.getByText("Out of luck").waitFor();
      await page.getByRole("button", { name: "1 failed" }).click();
      await until(async () => (await shown()).length === 6);
      const caption = (lane: string) => page.locator(`[data-lane="${lane}"] .caption`);
      await caption("greyscale-5").dragTo(caption("greyscale-0"), {
        targetPosition: { x: 5, y: 10 },
      });
      await until(async () => (await shown())[0] === "greyscale-5");
      assert.match(page.url(), /order=greyscale-5,greyscale-0/);
      await page.keyboard.press("2");
      await until(async () => (await shown()).length === 3);
      await page.locator('[data-lane="greyscale-4"]').press("Alt+ArrowLeft");
      await until(async () => (await shown()).join() === "greyscale-1,greyscale-4,greyscale-3");
      await page.keyboard.press("1");
      await until(async () => (await shown())[0] === "greyscale-5", "others keep their places");
    });
  });
});

Deno.test("the wall fills the screen and comes back, by key and by button", async () => {
  await withViewer({ lanes: { count: 2 } }, async (viewer) => {
    await withBrowser(async (open) => {
      const page = await open(viewer.url);
      await page.locator(".tile").nth(1).waitFor();
      const button = page.getByRole("button", { name: "Full screen (F)" });
      const fills = () => button.getAttribute("aria-pressed");
      const really = () =>
        page.evaluate(() => {
          // deno-lint-ignore no-explicit-any
          const { document } = globalThis as any;
          return document.fullscreenElement === document.documentElement;
        });
      for (const ask of [() => page.keyboard.press("f"), () => button.click()]) {
        await ask();
        await until(async () => await fills() === "true");
        assert.ok(await really());
        await page.locator(".tile").first().click();
        await ask();
        await until(async () => await fills() === "false");
        assert.ok(!await really());
      }
    });
  });
});

Deno.test("a page of some cameras shows those, in the order of the address", async () => {
  await withViewer({ lanes: { count: 8 } }, async (viewer) => {
    await withBrowser(async (open) => {
      const page = await open(`${viewer.url}cameras/7,1,3`);
      await page.locator(".tile").nth(2).waitFor();
      const cameras = await page.locator(".tile .camera").allTextContents();
      assert.deepEqual(cameras, ["CAMERA-7", "CAMERA-1", "CAMERA-3"]);
    });
  });
});

Deno.test("starting, stalled, failed and restarting lanes say so, and recover", async () => {
  await withViewer({ lanes: { count: 4 } }, async (viewer, lanes) => {
    for (const lane of [1, 2, 3]) lanes.push(`greyscale-${lane}`);
    lanes.change("greyscale-1", { lastFrameArrival: Date.now() - 65_000 });
    lanes.change("greyscale-2", { state: "failed", exception: "<b>Broken</b> model" });
    lanes.change("greyscale-3", { state: "restarting", exception: "Try 2" });
    await withBrowser(async (open) => {
      const page = await open(viewer.url);
      const notice = (lane: number) => page.locator(`[data-lane="greyscale-${lane}"] .notice`);
      await notice(0).getByText("Waiting for the first frame").waitFor();
      await notice(1).getByText(/^No frames since \d\d:\d\d:\d\d$/).waitFor();
      await notice(1).getByText(/^\d+ min \d+ s ago$/).waitFor();
      await notice(2).getByText("<b>Broken</b> model").waitFor();
      await notice(3).getByText("Try 2").waitFor();
      // No picture is taken for one of now: each says how old it is, and is dimmed.
      for (const lane of [1, 2, 3]) {
        const tile = page.locator(`[data-lane="greyscale-${lane}"]`);
        await tile.locator(".age").getByText(/^(\d+ min )?\d+ s old$/).waitFor();
        const dimmed = await page.evaluate(
          `getComputedStyle(document.querySelector('[data-lane="greyscale-${lane}"] .screen')).opacity`,
        );
        assert.ok(Number(dimmed) < 0.6, `tile ${lane} looks live`);
      }
      lanes.push("greyscale-0");
      lanes.push("greyscale-1");
      lanes.change("greyscale-2", { state: "running" });
      for (const lane of [0, 1, 2]) {
        await until(async () => {
          lanes.push(`greyscale-${lane}`);
          return !await notice(lane).isVisible();
        }, `lane ${lane} has recovered`);
      }
    });
  });
});

Deno.test("one tap opens a camera, a phone has two columns, and the strip scrolls to all", async () => {
  await withViewer({ lanes: { count: 16 } }, async (viewer, lanes) => {
    for (const { id } of lanes.lanes()) lanes.push(id);
    lanes.change("greyscale-4", { cameraName: "Loading dock", place: "Hall 2" });
    lanes.change("greyscale-5", { unused: true });
    const staff = "مدخل الموظفين – الطابق الأرضي خلف المصعد الكبير";
    lanes.change("greyscale-6", { cameraName: staff });
    await withBrowser(async (open) => {
      const page = await open(viewer.url);
      const named = page.locator('[data-lane="greyscale-4"]');
      assert.equal(await named.locator(".camera").textContent(), "Loading dock");
      assert.equal(await named.locator(".camera-number").textContent(), "CAMERA-5");
      assert.equal(await page.locator('[data-lane="greyscale-5"]').count(), 0);
      // A name that is cut keeps its beginning, in any script, and can be read whole.
      const inArabic = page.locator('[data-lane="greyscale-6"] .camera');
      assert.equal(await inArabic.getAttribute("title"), staff);
      assert.equal(await inArabic.evaluate((name) => name.matches(":dir(rtl)")), true);
      await page.setViewportSize({ width: 390, height: 844 });
      const columns = () =>
        page.evaluate(
          "[...document.querySelectorAll('.grid .tile')].filter((t, _, all) => t.offsetTop === all[0].offsetTop).length",
        );
      await until(async () => await columns() === 2, "two columns on a phone");
      await page.setViewportSize({ width: 1024, height: 768 });
      await named.locator(".picture").click();
      await page.locator('.stage [data-lane="greyscale-4"]').waitFor();
      assert.equal(await page.locator(".panel h2").textContent(), "Loading dock");
      const cut = await page.locator(".grid").evaluate((grid) => {
        grid.scrollLeft = 0;
        const { left } = grid.getBoundingClientRect();
        return [...grid.children].filter((tile) => tile.getBoundingClientRect().left < left).length;
      });
      assert.equal(cut, 0, "tiles that no scrolling reaches");
    });
  });
});

Deno.test("a page comes back by itself when the server was started again", async () => {
  const lanes = new FakeLanes({ count: 2 });
  const again = { feed: lanes, metrics: () => Promise.resolve(""), topics: [], port: freePort() };
  let viewer = await startViewer(again);
  try {
    await withBrowser(async (open) => {
      const page = await open(viewer.url);
      lanes.push("greyscale-0", { offset: 7 });
      await until(async () => await offsetOf(page, "greyscale-0") === 7);
      const details = await open(`${viewer.url}queries/greyscale-0`);
      await details.locator(".condition").waitFor();
      await viewer.stop();
      await details.locator(".condition").waitFor({ state: "hidden" });
      await page.getByText(/Connection lost/).waitFor();
      // Nothing looks live once the connection is lost.
      const tile = page.locator('[data-lane="greyscale-0"]');
      for (const number of [page.locator(".counts"), tile.locator(".rate")]) {
        assert.equal(await number.isVisible(), false);
      }
      const dot = await tile.locator(".state").evaluate(colorOf);
      assert.equal(dot, "rgb(152, 165, 181)");
      lanes.push("greyscale-0", { offset: 8 });
      viewer = await startViewer(again);
      await until(async () => await offsetOf(page, "greyscale-0") === 8, "it is back");
      await page.getByText(/Connection lost/).waitFor({ state: "hidden" });
      assert.equal(await tile.locator(".rate").isVisible(), true);
      await details.locator(".condition").waitFor();
      lanes.push("greyscale-1", { offset: 9 });
      await until(async () => await offsetOf(page, "greyscale-1") === 9);
    });
  } finally {
    await viewer.stop();
  }
});

Deno.test("a tile says when the browser cannot show its picture, until it can", async () => {
  await withViewer({ lanes: { count: 1 } }, async (viewer, lanes) => {
    await withBrowser(async (open) => {
      const page = await open(viewer.url);
      const notice = page.locator(".notice");
      const { bytes } = lanes.push("greyscale-0");
      await until(async () => await offsetOf(page, "greyscale-0") === 0);
      lanes.push("greyscale-0", { bytes: bytes.slice(0, 400) });
      await notice.getByText("This browser cannot show the picture").waitFor();
      lanes.push("greyscale-0");
      await notice.waitFor({ state: "hidden" });
    });
  });
});

Deno.test("results, zones and lines are drawn over the picture, and taken away on demand", async () => {
  await withViewer({ lanes: { count: 1 } }, async (viewer, lanes) => {
    const result = {
      scores: { fight: 0.93 },
      frames: [{
        offset: 0,
        timestamp: 0,
        objects: [{ label: "person", score: 0.65, box: [32, 24, 160, 120] as const }],
      }],
    };
    const polygon = [[0.5, 0.5], [1, 0.5], [1, 1]] as const;
    const places = {
      zones: [{ name: "dock", polygon }],
      lines: [{ name: "entrance", from: [0, 0.5], to: [0.5, 0.5] }],
    } as const;
    lanes.change("greyscale-0", { places });
    lanes.push("greyscale-0", { result });
    lanes.change("greyscale-0", { lastFrameArrival: Date.now() + 3_600_000 });
    await withBrowser(async (open) => {
      const page = await open(viewer.url);
      const box = page.locator(".boxes rect");
      await box.waitFor({ state: "attached" });
      await page.locator(".boxes text", { hasText: "person 65%" }).waitFor({ state: "attached" });
      await page.locator(".scores", { hasText: "fight 0.93" }).waitFor();
      // A box that is just drawn again has no place for a moment.
      let drawn = await box.boundingBox();
      while (drawn === null) drawn = await box.boundingBox();
      const screen = (await page.locator(".screen").boundingBox())!;
      // The picture is 320 by 240, fitted into the screen: the box must lie where it lies in it.
      const scale = Math.min(screen.width / 320, screen.height / 240);
      const left = screen.x + (screen.width - 320 * scale) / 2 + 32 * scale;
      assert.ok(Math.abs(drawn.x - left) < 3, `${drawn.x} instead of ${left}`);
      assert.ok(Math.abs(drawn.width - 128 * scale) < 3);
      for (const name of ["dock", "entrance"]) {
        await page.locator(".boxes .place + text", { hasText: name }).waitFor({
          state: "attached",
        });
      }
      // In the picture's pixels, as the boxes are.
      assert.equal(
        await page.locator(".boxes polygon").getAttribute("points"),
        "160,120 320,120 320,240",
      );
      // What another process found comes after its picture, and says so.
      const window = { firstTimestamp: 0, lastTimestamp: 0, frames: 1, gaps: 0 };
      lanes.push("greyscale-0", {
        timestamp: 1_200,
        offset: 5,
        result: { ...result, window: { ...window, firstOffset: 0, lastOffset: 0 } },
      });
      await page.locator(".scores", { hasText: "found 1.2 s earlier" }).waitFor();
      await page.locator(".boxes.earlier rect").waitFor({ state: "attached" });
      await page.keyboard.press("o");
      lanes.push("greyscale-0", { result });
      await box.waitFor({ state: "detached" });
      assert.equal(await page.locator(".boxes > *").count(), 0);
      assert.match(page.url(), /overlay=0/);
    });
  });
});

// deno-lint-ignore no-explicit-any
const colorOf = (element: any) => (globalThis as any).getComputedStyle(element).backgroundColor;
