import assert from "node:assert/strict";
import { pictures } from "../../cameras/net/picture_stream.ts";
import { encodeJpeg } from "../../runtime/image/jpeg.ts";

const MOST = 1_000_000;
const encoder = new TextEncoder();

function jpeg(shade: number): Promise<Uint8Array<ArrayBuffer>> {
  const data = Uint8Array.from({ length: 48 * 32 }, (_, i) => (i * 37 + shade) % 251);
  return encodeJpeg({ data, width: 48, height: 32, channels: 1 });
}

const images = await Promise.all([10, 90, 200].map(jpeg));
/** One transparent pixel, as any encoder writes it. */
const png = Uint8Array.fromBase64(
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==",
);

function concat(...pieces: readonly (Uint8Array | string)[]): Uint8Array {
  const bytes = pieces.map((piece) => typeof piece === "string" ? encoder.encode(piece) : piece);
  const all = new Uint8Array(bytes.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const piece of bytes) {
    all.set(piece, at);
    at += piece.length;
  }
  return all;
}

async function* chunked(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) {
    yield await Promise.resolve(bytes.subarray(at, at + size));
  }
}

async function found(bytes: Uint8Array, size = 1000, most = MOST): Promise<Uint8Array[]> {
  const all: Uint8Array[] = [];
  for await (const picture of pictures(chunked(bytes, size), most)) all.push(picture);
  return all;
}

/** Parts in one of the ways that cameras write them. */
function parts(
  options: {
    readonly boundary?: string;
    readonly first?: boolean;
    readonly length?: (bytes: number) => number | undefined;
    readonly before?: string;
    readonly after?: string;
    readonly end?: string;
  } = {},
): Uint8Array {
  const { boundary = "--frame", first = true, before = "", after = "\r\n", end = "\r\n" } = options;
  const length = options.length ?? ((bytes: number) => bytes);
  return concat(...images.flatMap((image, i) => {
    const bytes = length(image.length);
    const lengthLine = bytes === undefined ? "" : `Content-Length: ${bytes}${end}`;
    const line = i === 0 && !first ? "" : `${boundary}${end}`;
    return [`${line}Content-Type: image/jpeg${end}${lengthLine}${end}${before}`, image, after];
  }));
}

Deno.test("pictures are found whatever stands between them", async () => {
  const ways: Record<string, Uint8Array> = {
    "with lengths": parts(),
    "without lengths": parts({ length: () => undefined }),
    "length 0": parts({ length: () => 0 }),
    "length −1": parts({ length: () => -1 }),
    "length too short": parts({ length: (bytes) => bytes - 100 }),
    "length too long": parts({ length: (bytes) => bytes + 200 }),
    "first boundary missing": parts({ first: false }),
    "first boundary and lengths missing": parts({ first: false, length: () => undefined }),
    "boundary of four hyphens": parts({ boundary: "----other" }),
    "boundary without hyphens": parts({ boundary: "other", length: () => undefined }),
    "blank line before the picture": parts({ before: "\r\n" }),
    "blank line, no lengths": parts({ before: "\r\n", length: () => undefined }),
    "line feeds alone": parts({ end: "\n", after: "\n" }),
    "nothing after the picture": parts({ after: "", length: () => undefined }),
    "garbage after the picture": parts({ after: "\0\0\x01\x02zzz\r\n" }),
    "nothing but pictures": concat(...images),
    "text parts between": concat(
      "--frame\r\nContent-Type: text/plain\r\n\r\nhello\r\n",
      parts(),
      "--frame--\r\n",
    ),
  };
  for (const [name, bytes] of Object.entries(ways)) {
    for (const size of [1, 7, 64, 100_000]) {
      assert.deepEqual(await found(bytes, size), images, `${name}, ${size} bytes at a time`);
    }
  }
});

Deno.test("a picture is given when its last byte came, not when the next begins", async () => {
  const gate = Promise.withResolvers<void>();
  const chunks = async function* () {
    yield concat("--frame\r\n\r\n", images[0]!);
    await gate.promise;
  };
  const given = pictures(chunks(), MOST);
  assert.deepEqual((await given.next()).value, images[0]);
  gate.resolve();
  assert.equal((await given.next()).done, true);
});

Deno.test("PNG and WebP among JPEG; a picture in a picture's comment is none", async () => {
  const webp = concat("RIFF", new Uint8Array([8, 0, 0, 0]), "WEBPVP8 ");
  const [first, second] = images;
  const comment = concat(
    new Uint8Array([0xff, 0xfe, 0, 6]),
    new Uint8Array([0xff, 0xd8, 0xff, 0xd9]),
  );
  const nested = concat(first!.subarray(0, 2), comment, first!.subarray(2));
  const bytes = concat(png, "--x\r\n\r\n", webp, nested, "\r\n", second!);
  for (const size of [1, 13, 100_000]) {
    assert.deepEqual(await found(bytes, size), [png, webp, nested, second]);
  }
});

Deno.test("a picture without an end is taken as far as its part goes", async () => {
  const open = images[0]!.subarray(0, -2);
  const part = (length: string) =>
    concat(`--frame\r\n${length}\r\n`, open, "\r\n--frame\r\nX-Time: 1\r\n\r\n", images[1]!);
  for (const length of [`Content-Length: ${open.length}\r\n`, ""]) {
    for (const size of [1, 50, 100_000]) {
      assert.deepEqual(await found(part(length), size), [open, images[1]], `${length} ${size}`);
    }
  }
  assert.deepEqual(await found(open), []);
  const headless = images[0]!.subarray(0, 30);
  assert.deepEqual((await found(concat(headless, "\r\n--frame\r\n\r\n", ...images))).slice(-2), [
    ...images.slice(-2),
  ]);
});

Deno.test("the length of a part ends a picture without an end before the next one begins", async () => {
  const open = images[0]!.subarray(0, -2), headless = images[0]!.subarray(0, 30);
  for (const one of [open, headless]) {
    const part = concat(`--frame\r\nContent-Length: ${one.length}\r\n\r\n`, one);
    assert.deepEqual(await found(part), [one]);
    const chunks = async function* () {
      yield concat(part, "\r\n--frame\r\n");
      await new Promise<never>(() => {});
    };
    assert.deepEqual((await pictures(chunks(), MOST).next()).value, one);
    assert.deepEqual(await found(concat(part, "\r\n--frame\r\n\r\n", images[1]!)), [
      one,
      images[1],
    ]);
  }
});

Deno.test("fill bytes before a marker belong to the picture", async () => {
  const [first] = images;
  const filled = concat(first!.subarray(0, 2), Uint8Array.of(0xff, 0xff), first!.subarray(2));
  assert.deepEqual(await found(concat(filled, images[1]!)), [filled, images[1]]);
});

Deno.test("what is too large, or no picture at all, is refused", async () => {
  const endless = concat(images[0]!.subarray(0, -2), new Uint8Array(5_000));
  await assert.rejects(found(endless, 1000, 2_000), /at most 2000 are accepted/);
  const huge = concat("RIFF", new Uint8Array([0xff, 0xff, 0xff, 0x7f]), "WEBP");
  await assert.rejects(found(huge), /at most 1000000 are accepted/);
  await assert.rejects(found(new Uint8Array(2 << 20).fill(65), 60_000), /no picture within/);
  assert.deepEqual(await found(encoder.encode("<html>")), []);
});
