import assert from "node:assert/strict";
import { MemoryLog } from "../../runtime/testing/memory_log.ts";
import { offsetOf, violations, withBrowser } from "./browser.ts";
import { until, withViewer } from "./kit.ts";

Deno.test("nothing stands in the way of anybody, dark or light", async () => {
  const log = new MemoryLog();
  await log.createTopic("VideoStreaming", 4);
  await withViewer({ lanes: { count: 4 }, log }, async (viewer, lanes) => {
    for (const lane of [0, 1, 2]) lanes.push(`greyscale-${lane}`);
    lanes.change("greyscale-1", { state: "failed", exception: "Out of luck" });
    lanes.change("greyscale-2", { lastFrameArrival: Date.now() - 60_000 });
    lanes.push("greyscale-0", {
      result: {
        scores: { fight: 0.9 },
        alert: { id: "a", state: "start", label: "fight", peak: 0.9 },
      },
    });
    await withBrowser(async (open) => {
      for (const colorScheme of ["dark", "light"] as const) {
        const page = await open(viewer.url, { colorScheme });
        const ground = await page.evaluate("getComputedStyle(document.body).backgroundColor");
        assert.equal(ground, colorScheme === "dark" ? "rgb(10, 12, 15)" : "rgb(232, 236, 241)");
        await until(async () => await offsetOf(page, "greyscale-0") >= 0);
        await page.getByText("Query failed").waitFor();
        assert.deepEqual(await violations(page), [], `wall, ${colorScheme}`);
        await page.keyboard.press("Enter");
        await page.keyboard.press("a");
        await page.locator(".alert-item").waitFor();
        assert.deepEqual(await violations(page), [], `focus and alerts, ${colorScheme}`);
        await page.keyboard.press("g");
        await page.getByRole("dialog").waitFor();
        assert.deepEqual(await violations(page), [], `groups, ${colorScheme}`);
        await page.goto(`${viewer.url}queries/greyscale-0`);
        await page.getByRole("heading", { name: "greyscale on CAMERA-1" }).waitFor();
        assert.deepEqual(await violations(page), [], `query, ${colorScheme}`);
      }
    });
  });
});

Deno.test("a click beside a dialog closes it, also where the browser does not know closedby", async () => {
  await withViewer({}, async (viewer) => {
    await withBrowser(async (open) => {
      const page = await open(viewer.url);
      for (const known of [true, false]) {
        if (!known) {
          await page.evaluate(`for (const dialog of document.querySelectorAll("dialog")) {
            dialog.removeAttribute("closedby");
          }
          delete HTMLDialogElement.prototype.closedBy;`);
        }
        await page.keyboard.press("g");
        await page.getByRole("dialog").waitFor();
        await page.mouse.click(5, 400);
        await page.getByRole("dialog").waitFor({ state: "hidden" });
      }
    });
  });
});

Deno.test("on a phone the wall scrolls one way only and everything can be reached", async () => {
  await withViewer({ lanes: { count: 64 } }, async (viewer, lanes) => {
    lanes.run(2);
    await withBrowser(async (open) => {
      const page = await open(viewer.url, {
        viewport: { width: 390, height: 844 },
        deviceScaleFactor: 3,
        hasTouch: true,
        isMobile: true,
      });
      await until(async () => await offsetOf(page, "greyscale-0") >= 0);
      const overflow =
        "document.documentElement.scrollWidth - document.documentElement.clientWidth";
      assert.equal(await page.evaluate(overflow), 0);
      const tile = (await page.locator(".tile").first().boundingBox())!;
      assert.ok(tile.width >= 180, `${tile.width} pixels wide`);
      // Only what can be seen is sent.
      const last = page.locator('[data-lane="greyscale-63"]');
      assert.equal(await last.getAttribute("data-offset"), null);
      await last.scrollIntoViewIfNeeded();
      await until(async () => await offsetOf(page, "greyscale-63") >= 0);
      await last.getByRole("button", { name: /Show alone/ }).tap();
      await page.locator('.stage [data-lane="greyscale-63"]').waitFor();
      assert.equal(await page.evaluate(overflow), 0);
      await page.getByRole("button", { name: "Back to the wall (Esc)" }).tap();
      await page.locator(".stage").waitFor({ state: "hidden" });
    });
  });
});

Deno.test("on a phone nothing covers what a tile says", async () => {
  await withViewer({ lanes: { count: 4 } }, async (viewer, lanes) => {
    lanes.push("greyscale-0", { result: { scores: { person: 0.5 } } });
    lanes.change("greyscale-0", { lastFrameArrival: Date.now() + 3_600_000 });
    for (const lane of [1, 2]) lanes.change(`greyscale-${lane}`, { cameraName: "Loading dock" });
    const exception = "Cannot open video file hall.mp4 of the camera behind the door: no such file";
    await withBrowser(async (open) => {
      const page = await open(`${viewer.url}?columns=2`, {
        viewport: { width: 390, height: 844 },
        hasTouch: true,
        isMobile: true,
      });
      const tile = page.locator('[data-lane="greyscale-0"]');
      await tile.locator(".scores").getByText("person").waitFor();
      for (const number of ["CAMERA-2", "CAMERA-3"]) {
        await page.locator(".camera-number", { hasText: number }).waitFor();
      }
      lanes.change("greyscale-0", { state: "failed", exception });
      await tile.locator(".notice").getByText(exception).waitFor();
      await tile.locator(".scores").waitFor({ state: "hidden" });
      const opacity = () =>
        page.evaluate(
          `Number(getComputedStyle(document.querySelector('[data-lane="greyscale-0"] .icon-button')).opacity)`,
        ) as Promise<number>;
      assert.equal(await opacity(), 0);
      await tile.tap();
      await page.locator('.stage [data-lane="greyscale-0"]').waitFor();
      assert.ok(await opacity() > 0.5, "the way back");
    });
  });
});

Deno.test("people sign in once, and a link from another site finds them signed in", async () => {
  const token = "correct-horse-battery";
  await withViewer({ tokens: [{ token, opens: "all" }] }, async (viewer, lanes) => {
    lanes.push("greyscale-0");
    const server = Deno.serve(
      { port: 0, hostname: "localhost", onListen: () => {} },
      () =>
        new Response(`<a href="${viewer.url}?q=camera">the wall</a>`, {
          headers: { "content-type": "text/html" },
        }),
    );
    await withBrowser(async (open) => {
      const page = await open(`${viewer.url}healthz`);
      page.removeAllListeners("console"); // it reports each 401
      await page.goto(viewer.url);
      await page.getByLabel("Access token").fill("wrong");
      await page.getByRole("button", { name: "Sign in" }).click();
      await page.getByText("This token is not valid").waitFor();
      await page.getByLabel("Access token").fill(token);
      await page.getByRole("button", { name: "Sign in" }).click();
      await until(
        async () => await offsetOf(page, "greyscale-0") >= 0,
        "the wall after signing in",
      );
      assert.equal(await page.evaluate("document.cookie"), "", "no script can read the cookie");
      await page.goto(`http://localhost:${server.addr.port}/`);
      await page.getByText("the wall").click();
      await until(async () => await offsetOf(page, "greyscale-0") >= 0, "the wall by a link");
      assert.match(page.url(), /\?q=camera$/);
    });
    await server.shutdown();
  });
});

Deno.test("another site's page can neither open the socket nor show a camera", async () => {
  await withViewer({}, async (viewer, lanes) => {
    lanes.push("greyscale-0");
    const server = Deno.serve(
      { port: 0, hostname: "localhost", onListen: () => {} },
      () =>
        new Response("<!DOCTYPE html><title>elsewhere</title>", {
          headers: { "content-type": "text/html" },
        }),
    );
    await withBrowser(async (open) => {
      const page = await open(`http://localhost:${server.addr.port}/`);
      page.removeAllListeners("console"); // it complains, as it should
      const outcome = (script: string) => page.evaluate(`new Promise((done) => { ${script} })`);
      assert.equal(
        await outcome(
          `const s = new WebSocket("${viewer.url.replace("http", "ws")}ws");
           s.onopen = () => done("open"); s.onerror = () => done("refused");`,
        ),
        "refused",
      );
      assert.equal(
        await outcome(
          `const i = new Image(); i.onload = () => done("shown"); i.onerror = () => done("refused");
           i.src = "${viewer.url}cam/1.jpg";`,
        ),
        "refused",
      );
      assert.equal(
        await outcome(
          `fetch("${viewer.url}api/lanes").then(() => done("read"), () => done("refused"))`,
        ),
        "refused",
      );
    });
    await server.shutdown();
  });
});

Deno.test("what cameras and queries say is text, never markup", async () => {
  await withViewer({ lanes: { count: 1 } }, async (viewer, lanes) => {
    const evil = '<img src=x onerror="globalThis.broken=1"><script>globalThis.broken=1</script>';
    lanes.change("greyscale-0", { camera: evil, state: "failed", exception: evil });
    lanes.push("greyscale-0", {
      result: {
        scores: { [evil]: 1 },
        alert: { id: evil, state: "start", label: evil, peak: 1 },
        frames: [{
          offset: 0,
          timestamp: 0,
          objects: [{ label: evil, score: 1, box: [1, 1, 99, 99] }],
        }],
      },
    });
    lanes.plan = evil;
    await withBrowser(async (open) => {
      const page = await open(
        `${viewer.url}?focus=greyscale-0&q=&group=${encodeURIComponent(evil)}`,
      );
      await until(async () => await offsetOf(page, "greyscale-0") >= 0);
      await page.keyboard.press("a");
      await page.locator(".alert-item").waitFor();
      assert.ok((await page.locator(".notice").textContent())!.includes(evil));
      assert.equal(await page.evaluate("globalThis.broken"), undefined);
      assert.equal(await page.locator("script").count(), 1);
      await page.goto(`${viewer.url}queries/greyscale-0`);
      await page.locator("pre", { hasText: evil }).waitFor();
      assert.equal(await page.evaluate("globalThis.broken"), undefined);
    });
  });
});
