import assert from "node:assert/strict";
import type { Page } from "playwright-core";
import { paintCode } from "../support/fake_lanes.ts";
import { violations, withBrowser } from "./browser.ts";
import { until, withViewer } from "./kit.ts";

interface Box {
  readonly lane: string;
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
  /** Of the picture that the tile shows. */
  readonly aspect: number;
}

/** Where the pictures are on the screen. */
async function pictures(page: Page): Promise<Box[]> {
  return await page.evaluate(`[...document.querySelectorAll(".grid .tile")].map((tile) => {
    const { left, top, width, height } = tile.querySelector(".picture").getBoundingClientRect();
    const { width: x, height: y } = tile.querySelector("canvas.screen");
    return { lane: tile.dataset.lane, left, top, width, height, aspect: x / y };
  })`);
}

/** Largest bars beside or above a picture, CSS pixels. */
const bars = (boxes: readonly Box[]) =>
  Math.max(...boxes.map(({ width, height, aspect }) => Math.abs(width - height * aspect)));

Deno.test("tiles hug their pictures: 3, 16 and 64 lanes, mixed shapes, desktop and phone", async () => {
  const paint = (partition: number, offset: number) =>
    paintCode(partition, offset, 320, partition % 3 === 2 ? 240 : 180);
  await withBrowser(async (open) => {
    for (const count of [3, 16, 64]) {
      await withViewer({ lanes: { count, paint } }, async (viewer, lanes) => {
        for (const { id } of lanes.lanes()) lanes.push(id);
        for (const viewport of [{ width: 1440, height: 900 }, { width: 390, height: 844 }]) {
          const hasTouch = viewport.width < 1_000;
          const page = await open(viewer.url, { viewport, hasTouch, isMobile: hasTouch });
          await page.locator(".tile").nth(count - 1).waitFor({ state: "attached" });
          const shown = async () =>
            (await pictures(page)).filter(({ top }) => top < viewport.height - 80);
          await until(async () => {
            const boxes = await shown();
            return boxes.length > 0 && boxes.every(({ aspect }) => aspect < 1.9) &&
              bars(boxes) <= 3;
          }, `${count} lanes at ${viewport.width} have no bars`);
          const across = await page.evaluate("document.documentElement.scrollWidth");
          assert.equal(across, viewport.width);
          if (!hasTouch) {
            const area = (await shown()).reduce(
              (sum, { width, height }) => sum + width * height,
              0,
            );
            const whole = viewport.width * viewport.height;
            assert.ok(area > 0.45 * whole, `${count} lanes use the space`);
          }
          assert.deepEqual(await violations(page), [], `${count} lanes at ${viewport.width}`);
          await opensAndGoesBack(page, count);
          await page.context().close();
        }
      });
    }
  });
});

/** One click or tap opens a camera, the strip scrolls to all others, and a button leads back. */
async function opensAndGoesBack(page: Page, count: number): Promise<void> {
  const first = page.locator(".tile").first();
  await first.locator(".picture").click();
  await page.locator(".stage > .tile").waitFor();
  assert.equal(await page.locator(".grid .tile").count(), count - 1);
  const { out, across } = await page.locator(".grid").evaluate((grid) => {
    const boxes = [...grid.children].map((tile) => tile.getBoundingClientRect());
    const { left } = grid.getBoundingClientRect();
    const right = left - grid.scrollLeft + grid.scrollWidth;
    return {
      out: boxes.filter((box) =>
        box.left < left - grid.scrollLeft - 1 || box.right > right + 1
      ).length,
      across: grid.ownerDocument.documentElement.scrollWidth,
    };
  });
  assert.equal(out, 0, "tiles that no scrolling reaches");
  assert.equal(across, page.viewportSize()!.width, "the page itself does not scroll sideways");
  assert.deepEqual(await violations(page), [], `one of ${count} alone`);
  await page.getByRole("button", { name: /^Back to the wall/ }).first().click();
  await page.locator(".stage").waitFor({ state: "hidden" });
}

Deno.test("a screen that has room for more than 512 cameras shows them", async () => {
  const paint = (partition: number, offset: number) => paintCode(partition, offset, 160, 90);
  await withBrowser(async (open) => {
    await withViewer({ lanes: { count: 540, paint } }, async (viewer, lanes) => {
      for (const { id } of lanes.lanes()) lanes.push(id);
      const page = await open(viewer.url, { viewport: { width: 3840, height: 2160 } });
      await page.locator(".tile[data-offset]").nth(520).waitFor({ state: "attached" });
    });
  });
});

Deno.test("a phone held sideways, and a zoom of 200 %, show the whole picture of a camera", async () => {
  await withViewer({ lanes: { count: 3 } }, async (viewer, lanes) => {
    for (const { id } of lanes.lanes()) lanes.push(id);
    await withBrowser(async (open) => {
      for (const viewport of [{ width: 844, height: 390 }, { width: 640, height: 360 }]) {
        const page = await open(`${viewer.url}?focus=greyscale-0`, { viewport });
        const { y, height } = (await page.locator(".stage .picture").boundingBox())!;
        assert.ok(height > 200 && y + height < viewport.height, `${y} ${height}`);
        await page.getByRole("button", { name: "Back to the wall", exact: true }).click();
        await page.locator(".bar").waitFor();
      }
    });
  });
});

Deno.test("columns by a choice, two queries are told apart, the operator's view is remembered", async () => {
  const count = 32;
  await withViewer({ lanes: { count } }, async (viewer, lanes) => {
    for (const { id, partition } of lanes.lanes()) {
      lanes.push(id);
      lanes.change(id, {
        partition: partition >> 1,
        query: partition % 2 === 0 ? "people" : "cars",
      });
    }
    await withBrowser(async (open) => {
      const page = await open(viewer.url);
      const first = page.locator(".tile").first();
      await page.locator(".wall.dense").waitFor();
      assert.equal(await first.locator(".query").isVisible(), true);
      await page.getByLabel("Columns").selectOption({ label: "2 wide" });
      const inRow = async () => {
        const boxes = await pictures(page);
        return boxes.filter(({ top }) => top === boxes[0]!.top).length;
      };
      await until(async () => await inRow() === 2, "two in a row");
      assert.match(page.url(), /columns=2/);
      await page.keyboard.press("Escape");
      assert.equal(await first.locator(".lag").isVisible(), true);
      assert.match((await first.locator(".lag").textContent())!, /^lag \d+ frames?$/);
      await page.keyboard.press("n");
      await first.locator(".lag").waitFor({ state: "hidden" });
      assert.match((await first.locator(".clock").textContent())!, /^\d\d:\d\d:\d\d$/);
      await page.reload();
      await first.locator(".clock").waitFor();
      assert.equal(await first.locator(".lag").isVisible(), false);
      await page.getByRole("button", { name: "Numbers and charts (N)" }).click();
      await first.locator(".lag").waitFor();
    });
  });
});

Deno.test("arrow keys move to the tile below, whatever the rows are", async () => {
  await withViewer({ lanes: { count: 5 } }, async (viewer, lanes) => {
    for (const { id } of lanes.lanes()) lanes.push(id);
    await withBrowser(async (open) => {
      const page = await open(viewer.url);
      await page.locator(".tile").nth(4).waitFor();
      const selected = async () =>
        await page.locator('.tile[tabindex="0"]').getAttribute("data-lane");
      await page.locator(".tile").first().focus();
      const boxes = await pictures(page);
      const below = boxes.filter(({ top }) => top > boxes[0]!.top);
      await page.keyboard.press("ArrowDown");
      const lane = await selected();
      assert.ok(below.some((box) => box.lane === lane), `${lane} is not below`);
      await page.keyboard.press("ArrowUp");
      assert.equal(boxes.find((box) => box.top === boxes[0]!.top)?.lane, await selected());
      // Firefox on macOS reports Option as AltGr too.
      await page.locator(".tile").first().dispatchEvent("keydown", {
        key: "ArrowRight",
        altKey: true,
        modifierAltGraph: true,
      });
      await page.waitForURL(/order=greyscale-1,greyscale-0/);
    });
  });
});
