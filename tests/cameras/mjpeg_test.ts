import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { authorize, splitCredentials } from "../../cameras/http_auth.ts";
import { boundaryOf, parts } from "../../cameras/multipart.ts";
import { makeSource } from "../../cameras/open.ts";
import { SourceError } from "../../cameras/source.ts";
import { MjpegSource } from "../../cameras/sources/mjpeg.ts";
import { inspectImage } from "../../runtime/image/inspect.ts";
import { encodeJpeg } from "../../runtime/image/jpeg.ts";
import { context, hurriedClock, runToMemory, take } from "./kit.ts";

function picture(shade: number): Promise<Uint8Array<ArrayBuffer>> {
  const data = new Uint8Array(48 * 32).fill(shade);
  return encodeJpeg({ data, width: 48, height: 32, channels: 1 });
}

const pictures = await Promise.all([10, 90, 200].map(picture));
const text = (string: string) => new TextEncoder().encode(string);

/** A body of JPEG parts, with or without their lengths. */
function multipart(images: readonly Uint8Array[], withLength: boolean): Uint8Array {
  const pieces = images.flatMap((image) => [
    text(
      `--frame\r\nContent-Type: image/jpeg\r\n${
        withLength ? `Content-Length: ${image.length}\r\n` : ""
      }\r\n`,
    ),
    image,
    text("\r\n"),
  ]).concat(text("--frame--\r\n"));
  const all = new Uint8Array(pieces.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const piece of pieces) {
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

/** Runs the body with a server; gives the host and port. */
async function serving(
  handler: (request: Request) => Response | Promise<Response>,
  body: (host: string) => Promise<void>,
): Promise<void> {
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, handler);
  try {
    await body(`127.0.0.1:${server.addr.port}`);
  } finally {
    await server.shutdown();
  }
}

const mixed = { "content-type": "multipart/x-mixed-replace; boundary=frame" };

Deno.test("multipart: parts with and without lengths, however the bytes arrive", async () => {
  for (const withLength of [true, false]) {
    const bytes = multipart(pictures, withLength);
    for (const size of [1, 7, 64, 100_000]) {
      const found: Uint8Array[] = [];
      for await (const { body, headers } of parts(chunked(bytes, size), "--frame", 1e6)) {
        assert.equal(headers.get("content-type"), "image/jpeg");
        found.push(body);
      }
      assert.deepEqual(found, pictures, `${withLength} ${size}`);
    }
  }
});

Deno.test("multipart: what is too large or none at all is refused", async () => {
  const read = async (bytes: Uint8Array, most: number) => {
    for await (const _ of parts(chunked(bytes, 1000), "--frame", most));
  };
  await assert.rejects(read(multipart(pictures, true), 100), /at most 100 are accepted/);
  await assert.rejects(read(multipart([new Uint8Array(5_000)], false), 100), /at most 100/);
  await assert.rejects(read(text("Hello"), 100), /Cannot find the boundary/);
  const lines = Array.from({ length: 2_000 }, (_, i) => `x-${i}: ${"y".repeat(20)}\r\n`).join("");
  await assert.rejects(read(text(`--frame\r\n${lines}`), 100), /headers of more than 16384 bytes/);
  assert.equal(boundaryOf('multipart/x-mixed-replace;boundary="a b"'), "--a b");
  assert.equal(boundaryOf("multipart/x-mixed-replace; boundary=--x"), "--x");
  assert.equal(boundaryOf("image/jpeg; boundary=x"), undefined);
});

Deno.test("MJPEG passes byte for byte, and is opened again when it ends", async () => {
  let requests = 0;
  await serving(() => {
    requests++;
    return new Response(multipart(pictures, requests % 2 === 0).buffer as ArrayBuffer, {
      headers: mixed,
    });
  }, async (host) => {
    const { records, summary, reports } = await runToMemory(`http://${host}/video`, {
      limit: 7,
      clock: hurriedClock,
    });
    assert.deepEqual(
      records.map(({ value }) => value),
      [...pictures, ...pictures, pictures[0]],
    );
    assert.deepEqual(records.map(({ headers }) => headers.seq), [
      "0",
      "1",
      "2",
      "3",
      "4",
      "5",
      "6",
    ]);
    assert.equal(summary.reopened, 2);
    assert.match(reports[0]!, /^Source http:\/\/127.* ended; trying again in/);
  });
});

Deno.test("MJPEG is scaled where asked, thinned out by --fps; bad images are left out", async () => {
  await serving(
    () =>
      new Response(
        multipart([pictures[0]!, text("garbage"), pictures[1]!], true).buffer as ArrayBuffer,
        { headers: mixed },
      ),
    async (host) => {
      const size = { width: 24, height: 16 };
      const given = context();
      const images = [];
      for await (const image of makeSource(`http://${host}/`, { size }).open(given)) {
        images.push(image);
      }
      assert.equal(images.length, 2);
      assert.ok(images.every(({ value }) => inspectImage(value).width === 24));
      assert.match(given.reports[0]!, /sends bad images: Cannot tell the type/);
      const thin = await take(makeSource(`http://${host}/`, { fps: 0.5 }));
      assert.equal(thin.length, 1);
    },
  );
});

Deno.test("MJPEG that changes its size on the way is followed, or scaled to one", async () => {
  const large = await encodeJpeg({
    data: new Uint8Array(96 * 64),
    width: 96,
    height: 64,
    channels: 1,
  });
  const changing = [pictures[0]!, large, pictures[1]!];
  await serving(
    () => new Response(multipart(changing, true).buffer as ArrayBuffer, { headers: mixed }),
    async (host) => {
      const { records } = await runToMemory(`http://${host}/`, { limit: 3 });
      assert.deepEqual(records.map(({ value }) => value), changing);
      assert.deepEqual(
        records.map(({ headers }) => `${headers.width}x${headers.height}`),
        ["48x32", "96x64", "48x32"],
      );
      const scaled = await take(
        makeSource(`http://${host}/`, { size: { width: 24, height: 16 } }),
        3,
      );
      assert.ok(scaled.every(({ value }) => inspectImage(value).width === 24));
    },
  );
});

Deno.test("a server of single pictures is asked again and again", async () => {
  let requests = 0;
  await serving(
    () => new Response(pictures[requests++ % 3], { headers: { "content-type": "image/jpeg" } }),
    async (host) => {
      const images = await take(makeSource(`http://${host}/snap.jpg`, { fps: 100 }), 5);
      assert.deepEqual(images.map(({ value }) => value), [0, 1, 2, 0, 1].map((i) => pictures[i]));
    },
  );
});

Deno.test("passwords: Basic and Digest are answered, wrong ones told without showing them", async () => {
  const password = "pa:ss w%rd@!";
  const basic = (request: Request) =>
    request.headers.get("authorization") ===
        `Basic ${btoa(`anna.b:${password}`)}`
      ? undefined
      : 'Basic realm="cam"';
  const digest = (request: Request) => {
    const header = request.headers.get("authorization");
    if (header !== null && verifyDigest(header, password)) return undefined;
    return 'Digest realm="cam", nonce="abc", qop="auth", algorithm=MD5';
  };
  for (const check of [basic, digest]) {
    await serving((request) => {
      const challenge = check(request);
      return challenge === undefined
        ? new Response(multipart(pictures, true).buffer as ArrayBuffer, { headers: mixed })
        : new Response("no", { status: 401, headers: { "www-authenticate": challenge } });
    }, async (host) => {
      const url = (word: string) => `http://anna.b:${encodeURIComponent(word)}@${host}/v?a=1`;
      assert.equal((await take(makeSource(url(password)))).length, 3);
      for (const wrong of [url("canary-word"), `http://${host}/v?a=1`]) {
        await assert.rejects(
          take(makeSource(wrong)),
          (error) =>
            error instanceof SourceError && error.code === "UNAUTHORIZED" && !error.retryable &&
            /the user name or the password is wrong/.test(error.message) &&
            !error.message.includes("canary"),
        );
      }
    });
  }
});

Deno.test("passwords: a per cent sign that encodes nothing stands for itself", () => {
  assert.deepEqual(splitCredentials("http://me:100%@host/x"), {
    url: "http://host/x",
    credentials: { user: "me", password: "100%" },
  });
  assert.deepEqual(splitCredentials("http://m%40e:a%3Ab@host/x").credentials, {
    user: "m@e",
    password: "a:b",
  });
});

Deno.test("digest: known answer of RFC 7616, and what cannot be answered", () => {
  const challenge =
    'Digest realm="http-auth@example.org", qop="auth", algorithm=SHA-256, nonce="n"';
  const credentials = { user: "Mufasa", password: "Circle of Life" };
  const header = authorize(challenge, "/dir/index.html", credentials)!;
  const field = (name: string) => new RegExp(`${name}="?([^",]+)`).exec(header)![1]!;
  const sha = (value: string) => createHash("sha256").update(value).digest("hex");
  const expected = sha(
    [
      sha("Mufasa:http-auth@example.org:Circle of Life"),
      "n",
      field("nc"),
      field("cnonce"),
      "auth",
      sha("GET:/dir/index.html"),
    ].join(":"),
  );
  assert.equal(field("response"), expected);
  assert.equal(authorize('Digest nonce="x", algorithm=FOO', "/", credentials), undefined);
  assert.equal(authorize("Negotiate", "/", credentials), undefined);
});

Deno.test("what is no camera says so", async () => {
  await serving((request) => {
    switch (new URL(request.url).pathname) {
      case "/html":
        return new Response("<html>", { headers: { "content-type": "text/html" } });
      case "/silent":
        return new Response(new ReadableStream({}), { headers: mixed });
      default:
        return new Response("", { status: 404 });
    }
  }, async (host) => {
    await assert.rejects(
      take(makeSource(`http://${host}/html`)),
      /it sends text\/html: expected multipart\/x-mixed-replace or an image/,
    );
    await assert.rejects(take(makeSource(`http://${host}/none`)), /the server answers 404/);
    await assert.rejects(
      take(new MjpegSource(`http://${host}/silent`, { timeoutMs: 60 })),
      /sent nothing for 0.06 s/,
    );
  });
  await assert.rejects(
    take(makeSource("http://u:canary@127.0.0.1:1/video")),
    (error) =>
      error instanceof SourceError && error.code === "UNREACHABLE" && error.retryable &&
      !error.message.includes("canary"),
  );
  assert.throws(() => makeSource("http:///x"), /expected http:\/\/\[USER:PASSWORD@\]HOST/);
});

/** What a server does with a Digest header. */
function verifyDigest(header: string, password: string): boolean {
  const field = (name: string) => new RegExp(`${name}="?([^",]+)`).exec(header)?.[1] ?? "";
  const md5 = (value: string) => createHash("md5").update(value).digest("hex");
  const secret = md5(`anna.b:cam:${password}`);
  const request = md5(`GET:${field("uri")}`);
  const proof = [secret, "abc", field("nc"), field("cnonce"), "auth", request].join(":");
  return field("uri") === "/v?a=1" && field("response") === md5(proof);
}
