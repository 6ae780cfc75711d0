/**
 * The demo as a person meets it: three lanes alive in a real browser. Shown to other machines too, as in
 * a container, so that the address which it prints must hold the token.
 */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { FramelaneProcess } from "../support/framelane.ts";
import { withBrowser } from "../viewer/browser.ts";
import { until } from "../support/until.ts";

Deno.test("the demo shows three live lanes that change, without an error in the console", async () => {
  // A timer holds 25 days.
  const span = ["--for", "1e9"];
  const [killed, own] = [".framelane/demo-killed.tmp", ".framelane/demo-own"];
  for (const folder of [killed, own]) {
    await Deno.mkdir(`${folder}/segments`, { recursive: true });
    await Deno.utime(folder, 0, 0);
  }
  const demo = new FramelaneProcess(["demo", "--port", "0", "--host", "0.0.0.0", ...span]);
  try {
    const address = () =>
      demo.said.map((line) => /^Open (http\S+)/.exec(line)?.[1]).find((url) => url !== undefined);
    await demo.until("the address", () => address() !== undefined);
    await assert.rejects(Deno.stat(killed), Deno.errors.NotFound);
    await Deno.remove(own, { recursive: true });
    let lanes: { query: string; state: string; camera: string; framesPerSecondOut: number }[] = [];
    await until("three lanes at work", async () => {
      const url = new URL(address()!);
      // Who gets no answer for long, while all is loaded, is shut out.
      const response = await fetch(new URL(`/api/lanes${url.search}`, url)).catch(Response.error);
      if (!response.ok) return false;
      lanes = (await response.json() as typeof lanes).filter(({ query }) => query !== "raw");
      return lanes.length >= 3 && lanes.every(({ framesPerSecondOut }) => framesPerSecondOut > 0);
    });
    assert.deepEqual(lanes.map(({ camera, state }) => [camera, state]), [
      ["CAMERA-1", "running"],
      ["CAMERA-2", "running"],
      ["CAMERA-3", "running"],
    ]);
    // Opened once all is loaded, which takes long on a busy machine.
    await withBrowser(async (open) => {
      const page = await open(address()!);
      await page.waitForFunction("document.querySelectorAll('canvas').length >= 3");
      const before = await page.screenshot();
      await until(
        "the page changes",
        async () => Buffer.compare(before, await page.screenshot()) !== 0,
      );
    });
  } finally {
    assert.equal(await demo.stop(), 0, demo.output());
  }
});
