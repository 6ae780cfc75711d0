// Cameras of each kind that do what is wrong, over and over, in this process.
import { join } from "node:path";
import type { CameraSettings } from "../../cameras/settings.ts";
import { withFolder } from "../support/folder.ts";
import { withScriptedHttp } from "../support/scripted_http.ts";
import { withScriptedRtsp } from "../support/scripted_rtsp.ts";
import { until } from "../support/until.ts";
import { makeVideo } from "../support/videos.ts";
import { runToMemory } from "./kit.ts";

const noise = (length: number) => Uint8Array.from({ length }, (_, i) => i * i * 31 >> 3 & 255);

/** Runs the body while an evil camera of each kind runs: file, folder, HTTP, RTSP and device. */
export async function amongEvil(body: () => Promise<void>): Promise<void> {
  await withFolder(async (folder) => {
    const film = join(folder, "torn.ts");
    await makeVideo(film, { frames: 20, codec: "mpeg4" });
    const bytes = await Deno.readFile(film);
    bytes.set(noise(bytes.length >> 1), bytes.length >> 2);
    await Deno.writeFile(film, bytes);
    const images = join(folder, "images");
    await Deno.mkdir(images);
    await Deno.writeFile(join(images, "1.jpg"), Uint8Array.of(0xff, 0xd8, ...noise(9_000)));
    await Deno.writeFile(join(images, "2.png"), noise(100));
    await Deno.copyFile("clips/astronaut.jpg", join(images, "3.jpg"));
    const http = withScriptedHttp.bind(undefined, async ({ write }) => {
      await write("HTTP/1.1 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=b\r\n\r\n");
      for (let part = 0; part < 9; part++) {
        await write("--x\r\nContent-Length: -7\r\n\r\n\xff\xd8");
        await write(noise(60_000), 1_000);
      }
    });
    const rtsp = withScriptedRtsp.bind(undefined, { units: [], noise: noise(5_000) });
    await http((host) =>
      rtsp(async (address) => {
        const stop = new AbortController();
        const evil = [film, images, `http://${host}/`, address, "device:97"].map((source) => {
          const reports: string[] = [];
          const settings: CameraSettings = {
            stallMs: 500,
            openTimeoutMs: 500,
            ...(source === film || source === images ? { loop: true, fps: 20 } : {}),
          };
          const run = runToMemory(source, { settings, stop, reports })
            .catch((error: unknown) => reports.push(String(error)));
          return { source, reports, run };
        });
        try {
          for (const { source, reports } of evil) {
            await until(`a fault of ${source}`, () => reports.length > 0);
          }
          await body();
        } finally {
          stop.abort();
          await Promise.all(evil.map(({ run }) => run));
        }
      })
    );
  });
}
