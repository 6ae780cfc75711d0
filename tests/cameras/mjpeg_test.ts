import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { checkSource, makeSource } from "../../cameras/open.ts";
import { SourceError } from "../../cameras/source.ts";
import { inspectImage } from "../../runtime/image/inspect.ts";
import { encodeJpeg } from "../../runtime/image/jpeg.ts";
import { context, hurriedClock, listener, runToMemory, sleptClock, take } from "./kit.ts";

function picture(shade: number): Promise<Uint8Array<ArrayBuffer>> {
  const data = new Uint8Array(48 * 32).fill(shade);
  return encodeJpeg({ data, width: 48, height: 32, channels: 1 });
}

const pictures = await Promise.all([10, 90, 200].map(picture));
/** A JPEG without a picture. */
const broken = new Uint8Array([0xff, 0xd8, 0xff, 0xfe, 0, 2, 0xff, 0xd9]);
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
        multipart([pictures[0]!, broken, pictures[1]!], true).buffer as ArrayBuffer,
        { headers: mixed },
      ),
    async (host) => {
      const size = { width: 24, height: 16 };
      const given = context();
      const images = [];
      for await (const image of (await makeSource(`http://${host}/`, { size })).open(given)) {
        images.push(image);
      }
      assert.equal(images.length, 2);
      assert.ok(images.every(({ value }) => inspectImage(value).width === 24));
      assert.match(given.reports[0]!, /sends bad images: Cannot/);
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
      const { heard, ...listening } = listener();
      const images = await take(makeSource(`http://${host}/snap.jpg`, { fps: 100 }), 5, listening);
      assert.deepEqual(heard.slice(0, 2), ["opening", "activity"]);
      assert.deepEqual(images.map(({ value }) => value), [0, 1, 2, 0, 1].map((i) => pictures[i]));
    },
  );
});

Deno.test("a stream that broke after its first picture is a stream again, with times and --fps of its own", async () => {
  const clock = sleptClock();
  let requests = 0;
  await serving(
    () => {
      const images = requests++ === 0 ? [pictures[0]!] : [...pictures, ...pictures];
      return new Response(multipart(images, true).buffer as ArrayBuffer, { headers: mixed });
    },
    async (host) => {
      const images = await take(makeSource(`http://${host}/video`, { fps: 5 }), 9, { clock });
      // The clock stands while a response comes: one of its pictures is due.
      assert.deepEqual(images.map(({ timestamp }) => timestamp - images[0]!.timestamp), [0, 200]);
      assert.equal(requests, 2);
    },
  );
});

Deno.test("snapshots are recognised by their bytes, whatever their content type says", async () => {
  const types = [
    "image/jpeg",
    "image/jpg; charset=utf-8",
    "application/octet-stream",
    "text/plain",
    "multipart/x-mixed-replace; boundary=frame",
    undefined,
  ];
  await serving((request) => {
    const type = types[Number(new URL(request.url).search.slice(1))];
    return new Response(
      pictures[0],
      type === undefined ? {} : { headers: { "content-type": type } },
    );
  }, async (host) => {
    for (const index of types.keys()) {
      const images = await take(makeSource(`http://${host}/?${index}`, { fps: 200 }), 2);
      assert.deepEqual(images.map(({ value }) => value), [pictures[0], pictures[0]]);
    }
  });
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
            /the user name (?:or the|and a) password|a user name and a password/.test(
              error.message,
            ) &&
            !error.message.includes("canary"),
        );
      }
    });
  }
});

Deno.test("digest: a nonce that is too old is followed once by the new one", async () => {
  for (const renewals of [1, 2]) {
    let refused = 0;
    await serving((request) => {
      const given = request.headers.get("authorization") ?? "";
      if (given.includes(`nonce="${renewals}"`)) {
        return new Response(multipart(pictures, true).buffer as ArrayBuffer, { headers: mixed });
      }
      refused++;
      const stale = given === "" ? "" : ", stale=TRUE";
      const nonce = Number(/ nonce="(\d+)"/.exec(given)?.[1] ?? -1) + 1;
      const challenge = `Digest realm="r", nonce="${nonce}", qop="auth"${stale}`;
      return new Response(null, { status: 401, headers: { "www-authenticate": challenge } });
    }, async (host) => {
      const taking = take(makeSource(`http://me:secret@${host}/`), pictures.length);
      if (renewals === 1) assert.equal((await taking).length, pictures.length);
      else await assert.rejects(taking, /password is wrong/);
      assert.equal(refused, renewals === 1 ? 2 : 3);
    });
  }
});

Deno.test("what is no camera says so", async () => {
  const stop = new AbortController();
  let asked = 0;
  await serving((request) => {
    switch (new URL(request.url).pathname) {
      case "/html":
        return new Response("<html>", { headers: { "content-type": "text/html" } });
      case "/silent":
        if (++asked === 2) stop.abort();
        return new Response(new ReadableStream({}), { headers: mixed });
      default:
        return new Response("", { status: 404 });
    }
  }, async (host) => {
    await assert.rejects(
      take(makeSource(`http://${host}/html`)),
      /it sends text\/html without a picture: expected JPEG, PNG or WebP/,
    );
    await assert.rejects(take(makeSource(`http://${host}/none`)), /the server answers 404/);
    const { summary, reports } = await runToMemory(`http://${host}/silent`, {
      settings: { stallMs: 60 },
      stop,
    });
    assert.ok(summary.reopened >= 1);
    assert.match(reports.join(), /was silent for 0\.06 s \(--stall\)/);
  });
  await assert.rejects(
    take(makeSource("http://u:canary@127.0.0.1:1/video")),
    (error) =>
      error instanceof SourceError && error.code === "UNREACHABLE" && error.retryable &&
      !error.message.includes("canary"),
  );
  assert.throws(
    () => checkSource("http:///x"),
    /expected http:\/\/HOST\[:PORT\]\/PATH, with USER:PASSWORD@ before/,
  );
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

Deno.test("a redirect stays on the camera's host, and signs the path that it leads to", async () => {
  const seen: (string | null)[] = [];
  await serving((request) => {
    seen.push(request.headers.get("authorization"));
    const headers = { "www-authenticate": 'Basic realm="elsewhere"' };
    return new Response("no", { status: 401, headers });
  }, async (elsewhere) => {
    await serving((request) => {
      const { pathname, search } = new URL(request.url);
      const location = {
        "/same": "/v?a=1",
        "/other": `http://localhost:${elsewhere.split(":")[1]}/`,
        "/file": "file:///etc/hostname",
        "/circle": "/circle",
      }[pathname];
      if (location !== undefined) return new Response("", { status: 302, headers: { location } });
      const header = request.headers.get("authorization");
      if (header !== null && verifyDigest(header, "word") && search === "?a=1") {
        return new Response(multipart(pictures, true).buffer as ArrayBuffer, { headers: mixed });
      }
      const challenge = 'Digest realm="cam", nonce="abc", qop="auth", algorithm=MD5';
      return new Response("no", { status: 401, headers: { "www-authenticate": challenge } });
    }, async (host) => {
      const open = (path: string) => take(makeSource(`http://anna.b:word@${host}${path}`));
      assert.equal((await open("/same")).length, 3);
      for (const path of ["/other", "/file"]) {
        await assert.rejects(
          open(path),
          (error) => error instanceof SourceError && /it redirects to/.test(error.message),
        );
      }
      await assert.rejects(open("/circle"), /it redirects more than 5 times/);
    });
  });
  assert.deepEqual(seen, []);
});
