/**
 * The classic job: 192 images of a folder into a topic, and out of it again into files.
 *
 * @module
 */
import { join } from "node:path";
import { launchCamera } from "../../cameras/launch.ts";
import { openState } from "../../cameras/registry.ts";
import { FolderSource } from "../../cameras/sources/folder.ts";
import { systemClock } from "../../runtime/base/clock.ts";
import { decodeJpeg } from "../../runtime/image/jpeg.ts";
import type { TopicLog } from "../../runtime/log/log.ts";

/** Images of the job. */
export const CLASSIC_IMAGES = 192;
/** Images a second of a Python producer with watchdog and of its consumer: reported, not measured here. */
export const PYTHON_WATCHDOG = { out: 130, in: 82 } as const;

/** Images a second, out into the topic and in from it. */
export interface ClassicRun {
  readonly out: number;
  readonly in: number;
}

/** Writes so many of the images as files; the folder is as a person would have it. */
export async function fillFolder(folder: string, images: readonly Uint8Array[]): Promise<void> {
  await Deno.mkdir(folder, { recursive: true });
  for (let i = 0; i < CLASSIC_IMAGES; i++) {
    const name = `image-${String(i + 1).padStart(3, "0")}.jpg`;
    await Deno.writeFile(join(folder, name), images[i % images.length]!);
  }
}

/**
 * Out: the camera of the folder looks for the files, reads each, checks that it is whole, publishes
 * it, and has it acknowledged by every replica. In: each image is read from the topic, decoded to its
 * pixels, and written to a file.
 */
export async function classicRun(
  log: TopicLog,
  topic: string,
  folder: string,
): Promise<ClassicRun> {
  await log.createTopic(topic, 1);
  const scratch = await Deno.makeTempDir({ prefix: "framelane-bench-" });
  try {
    using kv = await openState(join(scratch, "published.kv"));
    const outStart = performance.now();
    const producer = await log.producer();
    const camera = launchCamera({ log, producer, topic, kv, clock: systemClock }, {
      number: 1,
      source: new FolderSource(folder, { mode: "once" }),
      settings: { fps: "max" },
      signal: new AbortController().signal,
      report() {},
    });
    const { published } = await camera.ended;
    await producer.close();
    const outSeconds = (performance.now() - outStart) / 1000;
    expectAll("published", published);

    const target = join(scratch, "out");
    await Deno.mkdir(target);
    const inStart = performance.now();
    const reader = await log.reader();
    const partition = await reader.open(topic, 0, 0);
    let got = 0;
    while (got < CLASSIC_IMAGES) {
      const frames = await partition.read(8);
      await Promise.all(frames.map(async ({ offset, value }) => {
        const image = await decodeJpeg(value, 3);
        image.release();
        await Deno.writeFile(join(target, `${offset}.jpg`), value);
      }));
      got += frames.length;
    }
    const inSeconds = (performance.now() - inStart) / 1000;
    await reader.close();
    expectAll("read", got);
    return { out: CLASSIC_IMAGES / outSeconds, in: CLASSIC_IMAGES / inSeconds };
  } finally {
    await Deno.remove(scratch, { recursive: true });
  }
}

function expectAll(what: string, count: number): void {
  if (count !== CLASSIC_IMAGES) {
    throw new Error(`Cannot compare: ${count} of ${CLASSIC_IMAGES} images were ${what}`);
  }
}
