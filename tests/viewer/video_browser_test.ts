import assert from "node:assert/strict";
import { join } from "node:path";
import type { Page } from "playwright-core";
import type { Frame } from "../../runtime/definition/frame.ts";
import { MemoryLog } from "../../runtime/testing/memory_log.ts";
// Loads FFmpeg before the tests begin, each of which must leave as much as it found.
import "../../runtime/video/h264_encoding.ts";
import { GroupTracker } from "../../runtime/video/groups.ts";
import { decodePicture } from "../../viewer/protocol.ts";
import { LogFeed } from "../../viewer/log_feed.ts";
import { accessUnits } from "../support/access_units.ts";
import { clipOf } from "../support/clip.ts";
import { CODE_BITS } from "../support/fake_lanes.ts";
import { withFolder } from "../support/folder.ts";
import { FramelaneProcess } from "../support/framelane.ts";
import { RtspServer } from "../support/rtsp.ts";
import { codeOf, offsetOf, withBrowser } from "./browser.ts";
import { until, withViewer } from "./kit.ts";

const TOPIC = "VideoStreaming";
const LANE = "raw-0";
const GOP = 25;
const STREAM = { frames: 4 * GOP, gop: GOP, width: 320, height: 240, codeBits: CODE_BITS };
const units = await accessUnits(STREAM);

/** A camera that plays the units, over and over, 25 a second. */
async function withCamera(body: (url: string) => Promise<void>): Promise<void> {
  const log = new MemoryLog();
  await log.createTopic(TOPIC, 2);
  const headers = { "content-type": "video/h264" };
  let next = 0;
  const begin = Date.now() - 4_000;
  const publish = () => {
    const value = units[next % units.length]!;
    log.append(TOPIC, 0, [{ key: null, value, timestamp: begin + next++ * 40, headers }]);
  };
  for (let i = 0; i < units.length; i++) publish();
  const timer = setInterval(publish, 40);
  const feed = new LogFeed({ log, topics: [TOPIC] });
  await feed.start();
  try {
    await withViewer({ log, topics: [TOPIC], feed }, async ({ url }) => {
      await body(url);
    });
  } finally {
    clearInterval(timer);
    await feed.close();
  }
}

/** Counts the messages with which a page confirms what it has drawn. */
function confirmationsOf(page: Page): { count: number } {
  const confirmations = { count: 0 };
  page.on("websocket", (socket) =>
    socket.on("framesent", ({ payload }) => {
      if (String(payload).includes('"drawn"')) confirmations.count++;
    }));
  return confirmations;
}

/** Content types of the pictures that a page has got. */
function typesOf(page: Page): string[] {
  const types: string[] = [];
  page.on("websocket", (socket) =>
    socket.on("framereceived", ({ payload }) => {
      if (typeof payload === "string") return;
      types.push(decodePicture(new Uint8Array(payload).buffer).contentType);
    }));
  return types;
}

async function isExact(page: Page, offset: number, lane = LANE): Promise<boolean> {
  return await offsetOf(page, lane) === offset &&
    await codeOf(page, lane) === offset % units.length;
}

Deno.test("a focused lane is decoded by the page, live, and in steps to the exact frames", async () => {
  await withCamera(async (url) => {
    await withBrowser(async (open) => {
      const page = await open("about:blank");
      const types = typesOf(page);
      const confirmations = confirmationsOf(page);
      await page.goto(`${url}?focus=${LANE}`);
      await until(async () => {
        const offset = await offsetOf(page, LANE);
        return offset > 2 * units.length &&
          types.filter((type) => type === "video/h264").length > 2 * GOP;
      }, "access units are shown live");
      const pictures = types.filter((type) => type === "image/jpeg").length;
      assert.ok(pictures < 10, `${pictures} JPEGs beside ${types.length} access units`);
      const { count } = confirmations;
      assert.ok(count - pictures < types.length / 2, `${count} messages for ${types.length} units`);
      await page.keyboard.press("Space");
      await page.locator("body.looking-back").waitFor();
      let at = await offsetOf(page, LANE);
      const step = async (key: string, by: number) => {
        await page.keyboard.press(key);
        at += by;
        await until(() => isExact(page, at), `offset ${at} after ${key}`);
      };
      for (let i = 0; i < 3; i++) await step(",", -1);
      for (let i = 0; i < 5; i++) await step("Shift+Comma", -10); // over two keyframes
      for (let i = 0; i < 3; i++) await step(".", 1);
      for (let i = 0; i < 3; i++) await step("Shift+Period", 10);
      const decoded = types.length;
      await page.keyboard.press("l");
      await until(async () => await offsetOf(page, LANE) > at + 50, "live again");
      assert.ok(types.length > decoded);
    });
  });
});

Deno.test("a page that cannot decode video gets pictures, live and in steps", async () => {
  await withCamera(async (url) => {
    await withBrowser(async (open) => {
      const page = await open("about:blank");
      await page.addInitScript(() => {
        Reflect.deleteProperty(globalThis, "VideoDecoder");
      });
      const types = typesOf(page);
      await page.goto(`${url}?focus=${LANE}`);
      await until(async () => await offsetOf(page, LANE) > units.length + 10, "live pictures");
      await page.keyboard.press("Space");
      await page.locator("body.looking-back").waitFor();
      const at = await offsetOf(page, LANE);
      await page.keyboard.press(",");
      await until(() => isExact(page, at - 1), "one frame back");
      assert.deepEqual([...new Set(types)], ["image/jpeg"]);
    });
  });
});

/** Two minutes of the units over and over: longer than the test, as the server's next round would cost units. */
function filmOf(once: readonly Uint8Array[]): Promise<Uint8Array> {
  const tracker = new GroupTracker((message) => assert.fail(message));
  const headers = { "content-type": "video/h265" };
  const frames = Array.from({ length: 3_000 }, (_, offset): Frame => ({
    ...{ topic: TOPIC, partition: 0, offset, timestamp: offset * 40, key: null, headers },
    value: once[offset % once.length]!.slice(),
  }));
  for (const frame of frames) tracker.take(frame);
  return clipOf(frames);
}

/** What FFmpeg's reader finds in the first ten frames: codec, width, height and their number. */
async function firstFrames(url: string): Promise<string> {
  const entries = "stream=codec_name,width,height,nb_read_frames";
  const { stdout } = await new Deno.Command("ffprobe", {
    args: ["-v", "error", "-count_frames", "-read_intervals", "%+#10"]
      .concat("-show_entries", entries, "-of", "csv=p=0", url),
    stderr: "inherit",
  }).output();
  return new TextDecoder().decode(stdout);
}

Deno.test("an RTSP camera's H.265 is a film at /cam/N.mp4; queries that decode it, or not, show the right frames on tiles, alone and in steps", async () => {
  await withFolder(async (folder) => {
    const path = join(folder, "film.mp4"), log = `embedded:${join(folder, "log")}`;
    await Deno.writeFile(path, await filmOf(await accessUnits({ ...STREAM, codec: "h265" })));
    const server = await RtspServer.start(path, { codec: "h265" });
    const source = `rtsp://127.0.0.1:${server.port}/clip`;
    const processes = [
      ["camera", "1", "--source", source, "--codec", "copy"],
      ["queries", "greyscale", "passthrough", "--port", "0"],
    ].map((args) => new FramelaneProcess([...args, "--log", log], { cwd: folder }));
    const queries = processes[1]!;
    const address = () =>
      queries.said.map((line) => /(http:\S+)/.exec(line)?.[1]).find((url) => url !== undefined);
    try {
      await queries.until("the address", () => address() !== undefined);
      const film = `${address()}cam/1.mp4`;
      await until(async () => (await fetch(film, { method: "HEAD" })).ok, "a film of the camera");
      assert.equal(await firstFrames(film), "hevc,320,240,10\n");
      await withBrowser(async (open) => {
        for (const lane of ["greyscale-0", "passthrough-0"]) {
          const page = await open("about:blank");
          const types = typesOf(page);
          await page.goto(address()!);
          const live = async (after: number) => {
            const offset = await offsetOf(page, lane);
            return offset > after && await isExact(page, offset, lane);
          };
          await until(() => live(0), `a live tile of ${lane}`);
          assert.deepEqual([...new Set(types)], ["image/jpeg"], "tiles get pictures");
          await page.locator(`[data-lane="${lane}"] .picture`).click();
          await page.locator(".tile.alone").waitFor();
          const at = await offsetOf(page, lane);
          await until(() => live(at + GOP), `${lane} live, alone`);
          await page.keyboard.press("Space");
          await page.locator("body.looking-back").waitFor();
          let paused = await offsetOf(page, lane);
          for (
            const [key, by] of [[",", -1], ["Shift+Comma", -10], ["Shift+Comma", -10], [
              ".",
              1,
            ]] as const
          ) {
            await page.keyboard.press(key);
            paused += by;
            await until(
              () => isExact(page, paused, lane),
              `${lane}, offset ${paused} after ${key}`,
            );
          }
          assert.ok(
            types.includes("video/h265"),
            `${lane}: units are tried where the browser may decode them`,
          );
          await page.close();
        }
      });
    } finally {
      for (const each of processes) await each.stop();
      await server.kill();
    }
  });
});
