/**
 * From a model's scores to a person: event lines, signed posts, the wall, the clip; and what the log
 * remembers of it for a wall elsewhere.
 */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { createHmac } from "node:crypto";
import jpegTurbo from "@julusian/jpeg-turbo";
import type { Result } from "../../runtime/definition/frame.ts";
import { orderModel } from "../queries/operators/model/order_kit.ts";
import { framelane, FramelaneProcess } from "../support/framelane.ts";
import { withLog } from "../support/log.ts";
import { withBrowser } from "../viewer/browser.ts";
import { until } from "../viewer/kit.ts";

const SECRET = "the receiver knows it";
/** What each second of the camera holds: the model's score is high while it is 5. */
const SECONDS = [0, 5, 5, 0, 0, 5];
const FPS = 20;

/** A picture of which the model of the test reads a number. */
function picture(number: number): Uint8Array {
  const [width, height] = [512, 288];
  const data = Buffer.alloc(width * height);
  for (let at = 0; at < data.length; at++) {
    const bit = Math.floor((at % width) / 32);
    data[at] = (number >> bit) & 1 ? 255 : 0;
  }
  const format = jpegTurbo.FORMAT_GRAY, subsampling = jpegTurbo.SAMP_GRAY;
  return new Uint8Array(
    jpegTurbo.compressSync(data, { format, width, height, subsampling, quality: 90 }),
  );
}

/** A receiver of posts that looks at their signatures. */
function receiver() {
  const deliveries: { id: string; result: Result }[] = [];
  const server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, async (request) => {
    const body = await request.text();
    const header = (name: string) => request.headers.get(`x-framelane-${name}`)!;
    const signature = createHmac("sha256", SECRET).update(`${header("timestamp")}.${body}`);
    assert.equal(header("signature"), `sha256=${signature.digest("hex")}`);
    deliveries.push({ id: header("delivery"), result: JSON.parse(body) });
    return new Response("thanks");
  });
  return { deliveries, port: server.addr.port, close: () => server.shutdown() };
}

/** Transitions by episode: `start update … end`. */
function episodes(results: readonly Result[]): Map<string, string[]> {
  const found = new Map<string, string[]>();
  for (const { alert } of results) {
    if (alert === undefined) continue;
    found.set(alert.id, [...found.get(alert.id) ?? [], alert.state]);
  }
  return found;
}

Deno.test("a score that crosses its threshold reaches files, a webhook, the wall and a wall elsewhere", async () => {
  const hook = receiver();
  try {
    await withLog(async (log, _, directory) => {
      const file = (name: string) => `${directory}/${name}`;
      await Deno.mkdir(file("pictures"));
      for (const [index, number] of SECONDS.entries()) {
        const bytes = picture(number);
        for (let i = 0; i < FPS; i++) {
          const name = String(index * FPS + i).padStart(4, "0");
          await Deno.writeFile(file(`pictures/${name}.jpg`), bytes);
        }
      }
      const manifest = JSON.parse(await Deno.readTextFile(orderModel("nthwc")));
      manifest.outputs[1].activation = "sigmoid"; // 0 is 0.5, 5 is 0.99
      manifest.alert = { label: "last", enter: 0.9, exit: 0.6, of: [2, 3], silenceMs: 10_000 };
      await Deno.writeTextFile(file("model.json"), JSON.stringify(manifest));
      await Deno.copyFile(orderModel("nthwc").replace(/json$/, "onnx"), file("nthwc.onnx"));

      const runtime = new FramelaneProcess([
        ...["queries", "action", "--model", file("model.json"), "--log", log, "--port", "0"],
        ...["--starting-offsets", "earliest", "--executors", "1", "--sink", "display"],
        ...["--sink", `events:${file("events.jsonl")}`],
        ...["--sink", `webhook:http://127.0.0.1:${hook.port}/alarm#only=alerts`],
      ], { cwd: directory, env: { FRAMELANE_WEBHOOK_SECRET: SECRET } });
      const urlOf = (process: FramelaneProcess) =>
        process.said.map((line) => /(http:\S+)/.exec(line)?.[1]).find((url) => url !== undefined);
      try {
        await runtime.until("the viewer", () => urlOf(runtime) !== undefined);
        const camera = await framelane([
          ...["camera", "1", "--source", file("pictures"), "--fps", String(FPS), "--no-loop"],
          ...["--log", log],
        ]);
        assert.equal(camera.code, 0, camera.process.output());

        // The second episode ends because the camera fell silent.
        const ends = () => hook.deliveries.filter(({ result }) => result.alert?.state === "end");
        await until(() => ends().length === 2, "two episodes ended");
        const posted = episodes(hook.deliveries.map(({ result }) => result));
        assert.equal(posted.size, 2);
        for (const states of posted.values()) {
          assert.match(states.join(" "), /^start( update)+ end$/);
        }
        assert.equal(
          new Set(hook.deliveries.map(({ id }) => id)).size,
          hook.deliveries.length,
          "each has an id of its own",
        );
        const events = (await Deno.readTextFile(file("events.jsonl"))).trim().split("\n")
          .map((line) => JSON.parse(line) as Result);
        assert.deepEqual(episodes(events), posted);

        await withBrowser(async (open) => {
          const page = await open(urlOf(runtime)!);
          await page.locator('[data-lane="action-0"]').first().waitFor();
          await page.getByRole("button", { name: "Alerts (A)" }).click();
          const entries = page.locator(".alert-item");
          await until(async () => await entries.count() === 2, "both are on the wall");
          await until(
            async () =>
              await entries.locator("img").evaluateAll((images) =>
                images.every((image) =>
                  (image as unknown as { naturalWidth: number }).naturalWidth > 0
                )
              ),
            "their pictures are there",
          );
          const links = page.getByRole("link", { name: /Clip of last/ });
          const [download] = await Promise.all([
            page.waitForEvent("download"),
            links.last().click(),
          ]);
          const clip = await Deno.readFile(await download.path());
          assert.equal(new TextDecoder().decode(clip.subarray(4, 8)), "ftyp");
          assert.ok(clip.length > 5_000, `a clip of ${clip.length} bytes`);
        });
      } finally {
        assert.equal(await runtime.stop(), 0, runtime.output());
      }

      // A wall that was not there, on a machine that has the log alone.
      const elsewhere = new FramelaneProcess(["viewer", "--log", log, "--port", "0"]);
      try {
        await elsewhere.until("the viewer", () => urlOf(elsewhere) !== undefined);
        const seen = async () => await (await fetch(`${urlOf(elsewhere)}api/alerts`)).json();
        await until(async () => (await seen()).length === 2, "the log tells of both");
        for (const { lane, active, label } of await seen()) {
          assert.deepEqual([lane, active, label], ["raw-0", false, "last"]);
        }
      } finally {
        assert.equal(await elsewhere.stop(), 0, elsewhere.output());
      }
    });
  } finally {
    await hook.close();
  }
});
