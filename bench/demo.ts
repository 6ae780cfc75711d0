/**
 * From the start of the demo to three live lanes on its page, in a real browser: each with a
 * processed picture, frames a second, latency and lag.
 *
 *     deno task bench demo [--rounds 5]
 *
 * @module
 */
import { parseArgs } from "node:util";
import { FramelaneProcess } from "../tests/support/framelane.ts";
import { withBrowser } from "../tests/viewer/browser.ts";
import { print } from "./print.ts";
import { spread } from "./support/stats.ts";

const DEADLINE_MS = 30_000;

/** In the page: whether three tiles have all that the demo promises. */
const LIVE = `
  [...document.querySelectorAll(".tile")].filter((tile) => {
    const number = (name) => parseFloat(tile.querySelector("." + name)?.textContent.replace(/[^0-9.]/g, ""));
    return tile.dataset.offset !== undefined && tile.querySelector(".camera")?.textContent !== "" &&
      number("rate") > 0 && number("latency") >= 0 && number("lag") >= 0;
  }).length >= 3`;

/** `deno task bench demo`. */
export async function bench(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: { rounds: { type: "string", default: "5" } },
  });
  const seconds: number[] = [];
  await withBrowser(async (open) => {
    const page = await open("about:blank");
    for (let round = 0; round <= Number(values.rounds); round++) {
      const started = performance.now();
      const demo = new FramelaneProcess(["demo", "--port", "0"]);
      try {
        const address = () =>
          demo.said.map((line) => /^Open (http\S+)/.exec(line)?.[1])
            .find((url) => url !== undefined);
        await demo.until("the address", () => address() !== undefined);
        await page.goto(address()!);
        const deadline = started + DEADLINE_MS;
        while (!await page.evaluate(LIVE)) {
          if (performance.now() > deadline) throw new Error(`Not live: ${demo.output()}`);
          await page.waitForTimeout(20);
        }
        // The first start fills the caches.
        if (round > 0) seconds.push((performance.now() - started) / 1000);
        await page.goto("about:blank");
      } finally {
        await demo.stop();
      }
    }
  });
  print(`demo: three live lanes on the page ${spread(seconds, 2)} s after its start`);
}
