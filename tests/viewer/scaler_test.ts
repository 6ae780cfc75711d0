import assert from "node:assert/strict";
import type { LanePicture } from "../../runtime/lanes.ts";
import { inspectImage } from "../../runtime/image/inspect.ts";
import { type ScaledPicture, Scaler } from "../../viewer/scaler.ts";
import { encoded, jpegOf } from "../runtime/image/fixtures.ts";

const WIDTH = 640;
const HEIGHT = 480;

function pictureOf(bytes: Uint8Array, lane = "greyscale-0"): LanePicture {
  return { lane, offset: 7, timestamp: 0, bytes, headers: {} };
}

async function withScaler(body: (scaler: Scaler) => Promise<void>): Promise<void> {
  const scaler = new Scaler();
  try {
    await body(scaler);
  } finally {
    scaler.close();
  }
}

function sizeOf({ bytes }: ScaledPicture): [number, number] {
  const { width, height } = inspectImage(bytes);
  return [width, height];
}

Deno.test("a tile gets the smallest of the sizes that is not much narrower than it is", async () => {
  await withScaler(async (scaler) => {
    const picture = pictureOf(jpegOf(WIDTH, HEIGHT));
    const widths = { 40: 80, 88: 80, 90: 160, 170: 160, 240: 320, 355: 320, 400: 640, 0: 640 };
    for (const [tile, width] of Object.entries(widths)) {
      const scaled = await scaler.scaled(picture, Number(tile));
      assert.deepEqual(sizeOf(scaled), [width, width * 3 / 4], `a tile of ${tile}`);
      assert.deepEqual([scaled.sourceWidth, scaled.sourceHeight], [WIDTH, HEIGHT]);
    }
  });
});

Deno.test("a size is made once, and one picture of a lane at a time", async () => {
  await withScaler(async (scaler) => {
    const first = pictureOf(jpegOf(WIDTH, HEIGHT));
    const made = scaler.live(first, 200);
    assert.equal(scaler.scaled(first, 210), made, "for all who want about that size");
    const next = pictureOf(jpegOf(WIDTH, HEIGHT, 9));
    assert.equal(scaler.live(next, 200), made, "while the one before is in work");
    await made;
    assert.notEqual(scaler.live(next, 200), made);
  });
});

Deno.test("live pictures that would have to wait for long are not begun", async () => {
  await withScaler(async (scaler) => {
    const begun = Array.from(
      { length: 30 },
      (_, lane) => scaler.live(pictureOf(jpegOf(WIDTH, HEIGHT), `greyscale-${lane}`), 200),
    );
    assert.ok(begun[0] !== undefined && begun[29] === undefined);
    await Promise.all(begun);
    assert.notEqual(scaler.live(pictureOf(jpegOf(WIDTH, HEIGHT)), 200), undefined, "later again");
  });
});

Deno.test("pictures that are no plain JPEG are scaled too, and lie upright", async () => {
  await withScaler(async (scaler) => {
    const others = {
      png: await encoded(WIDTH, HEIGHT, (image) => image.png()),
      webp: await encoded(WIDTH, HEIGHT, (image) => image.webp()),
      cmyk: await encoded(WIDTH, HEIGHT, (image) => image.toColourspace("cmyk").jpeg()),
      // Cut off: browsers show what there is, and so does the small picture.
      damaged: jpegOf(WIDTH, HEIGHT).slice(0, -900),
    };
    for (const [name, bytes] of Object.entries(others)) {
      const scaled = await scaler.scaled(pictureOf(bytes), 300);
      assert.deepEqual(sizeOf(scaled), [320, 240], name);
      assert.equal(scaled.contentType, "image/jpeg", name);
    }
    const turned = await encoded(
      WIDTH,
      HEIGHT,
      (image) => image.jpeg().withMetadata({ orientation: 6 }),
    );
    assert.deepEqual(sizeOf(await scaler.scaled(pictureOf(turned), 220)), [240, 320]);
  });
});

Deno.test("what cannot be scaled stays as it is, and so does all once the scaler is closed", async () => {
  await withScaler(async (scaler) => {
    const none = pictureOf(new TextEncoder().encode("no picture"));
    assert.equal((await scaler.scaled(none, 100)).bytes, none.bytes);
    const late = pictureOf(jpegOf(WIDTH, HEIGHT));
    const made = scaler.scaled(late, 100);
    scaler.close();
    assert.equal((await made).bytes, late.bytes);
    const later = pictureOf(jpegOf(WIDTH, HEIGHT));
    assert.equal((await scaler.scaled(later, 100)).bytes, later.bytes);
  });
});

Deno.test("small JPEGs come from a thread that lets all others go first", async () => {
  await withScaler(async (scaler) => {
    const before = await politeThreads();
    await scaler.scaled(pictureOf(jpegOf(WIDTH, HEIGHT)), 100);
    const more = (await politeThreads()).filter((thread) => !before.includes(thread));
    assert.ok(more.length > 0);
  });
});

/** Ids of this process's threads that run only while no other wants to. */
async function politeThreads(): Promise<string[]> {
  const args = ["-L", "-o", "cls=,lwp=", "-p", String(Deno.pid)];
  const { success, stdout } = await new Deno.Command("ps", { args }).output();
  assert.ok(success);
  const rows = new TextDecoder().decode(stdout).split("\n").map((line) => line.trim().split(/\s+/));
  return rows.filter(([scheduling]) => scheduling === "IDL").map(([, id]) => id!);
}
