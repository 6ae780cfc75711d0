import assert from "node:assert/strict";
import fc from "fast-check";
import type { Viewer } from "../../viewer/viewer.ts";
import { TestPage, until, withViewer } from "./kit.ts";
import { PATIENCE_MS } from "../support/until.ts";

const MiB = 1024 * 1024;
const encoder = new TextEncoder();

/** Sends bytes on a connection of its own and returns the first line of what comes back. */
async function answer(port: number, bytes: string | Uint8Array): Promise<string> {
  using connection = await Deno.connect({ port });
  const timer = setTimeout(() => connection.close(), PATIENCE_MS);
  try {
    await writeAll(connection, typeof bytes === "string" ? encoder.encode(bytes) : bytes);
    const buffer = new Uint8Array(4_096);
    const length = await connection.read(buffer);
    return new TextDecoder().decode(buffer.subarray(0, length ?? 0)).split("\r\n")[0]!;
  } catch {
    return ""; // cut off while it was writing: an answer as well
  } finally {
    clearTimeout(timer);
  }
}

async function writeAll(connection: Deno.TcpConn, bytes: Uint8Array): Promise<void> {
  for (let sent = 0; sent < bytes.length;) sent += await connection.write(bytes.subarray(sent));
}

/** A connection that has become a WebSocket. */
async function rawSocket(port: number): Promise<Deno.TcpConn> {
  const connection = await Deno.connect({ port });
  await writeAll(
    connection,
    encoder.encode(
      `GET /ws HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
    ),
  );
  await connection.read(new Uint8Array(4_096));
  return connection;
}

/** A masked text frame, as clients send them. */
function textFrame(text: string): Uint8Array {
  const payload = encoder.encode(text);
  const head = payload.length < 126
    ? [0x81, 0x80 | payload.length]
    : [0x81, 0xfe, payload.length >> 8, payload.length & 0xff];
  return new Uint8Array([...head, 0, 0, 0, 0, ...payload]);
}

/** True when whole frames of a server hold a close frame. */
function hasCloseFrame(bytes: Uint8Array): boolean {
  for (let at = 0; at < bytes.length;) {
    if (bytes[at] === 0x88) return true;
    const short = bytes[at + 1]! & 0x7f;
    at += 2 + (short === 126 ? 2 + ((bytes[at + 2]! << 8) | bytes[at + 3]!) : short);
  }
  return false;
}

async function isWell(viewer: Viewer): Promise<void> {
  const response = await fetch(`${viewer.url}healthz`);
  assert.equal(await response.text(), "ok\n");
}

Deno.test("a viewer that never reads costs little memory, and others nothing", async () => {
  await withViewer({ lanes: { count: 8, width: 640, height: 480 } }, async (viewer, lanes) => {
    const ids = lanes.lanes().map(({ id }) => id);
    for (const id of ids) lanes.push(id);
    const bystander = await TestPage.open(viewer);
    bystander.watch(ids[0]!);
    await until(() => bystander.pictures.length > 0);
    const stuck: Deno.TcpConn[] = [];
    const before = Deno.memoryUsage().rss;
    for (let i = 0; i < 4; i++) {
      const socket = await rawSocket(viewer.port);
      const tiles = ids.map((lane) => ({ lane, width: 0 }));
      await writeAll(socket, textFrame(JSON.stringify({ type: "watch", tiles })));
      const stream = await Deno.connect({ port: viewer.port });
      await writeAll(stream, encoder.encode(`GET /cam/1 HTTP/1.1\r\nHost: localhost\r\n\r\n`));
      stuck.push(socket, stream);
    }
    await until(() => lanes.subscribers > 1);
    const bytes = lanes.latest(ids[0]!)!;
    for (let round = 0; round < 300; round++) {
      let newest = 0;
      // The same picture with another offset: painting would be what is measured here.
      for (const id of ids) newest = lanes.push(id, { bytes: bytes.bytes }).offset;
      if (round % 50 === 49) await until(() => bystander.newest(0)?.offset === newest);
      else await new Promise((resolve) => setTimeout(resolve, 1));
    }
    const grown = (Deno.memoryUsage().rss - before) / MiB;
    assert.ok(grown < 4 * 16, `${grown.toFixed(1)} MiB for four stuck pages and streams`);
    for (const connection of stuck) connection.close();
    await bystander.close();
    await until(() => lanes.subscribers === 1, "all is let go of");
  });
});

Deno.test("malformed WebSocket frames end their socket alone", async () => {
  await withViewer({}, async (viewer, lanes) => {
    const bystander = await TestPage.open(viewer);
    bystander.watch("greyscale-0");
    const bad: Record<string, number[]> = {
      "not masked": [0x81, 0x02, 0x7b, 0x7d],
      "reserved bits": [0xf1, 0x80, 0, 0, 0, 0],
      "unknown opcode": [0x8f, 0x80, 0, 0, 0, 0],
      "ping too long": [0x89, 0xfe, 0x01, 0x00, 0, 0, 0, 0],
      "fragmented ping": [0x09, 0x80, 0, 0, 0, 0],
      "continuation of nothing": [0x80, 0x80, 0, 0, 0, 0],
      "length beyond all memory": [0x81, 0xff, 0x7f, 255, 255, 255, 255, 255, 255, 255, 0, 0, 0, 0],
      "no UTF-8": [0x81, 0x82, 0, 0, 0, 0, 0xff, 0xfe],
      "close with half a code": [0x88, 0x81, 0, 0, 0, 0, 3],
      noise: [0x13, 0x37, 0x00, 0xff, 0x42, 0x42],
    };
    for (const [what, bytes] of Object.entries(bad)) {
      using socket = await rawSocket(viewer.port);
      await writeAll(socket, new Uint8Array(bytes));
      const timer = setTimeout(() => socket.close(), PATIENCE_MS);
      let ended = false;
      try {
        while (!ended) {
          const buffer = new Uint8Array(65_536);
          const length = await socket.read(buffer);
          // A close frame is the end as well: after it nothing more is read or sent.
          ended = length === null || hasCloseFrame(buffer.subarray(0, length));
        }
      } catch (error) {
        ended = error instanceof Deno.errors.ConnectionReset;
      } finally {
        clearTimeout(timer);
      }
      assert.ok(ended, `${what} did not end the socket`);
    }
    const { offset } = lanes.push("greyscale-0");
    await until(() => bystander.newest(0)?.offset === offset);
    await bystander.close();
  });
});

Deno.test("requests that never end hold up no other", async () => {
  await withViewer({}, async (viewer, lanes) => {
    lanes.push("greyscale-0");
    const slow: Deno.TcpConn[] = [];
    for (let i = 0; i < 200; i++) {
      const connection = await Deno.connect({ port: viewer.port });
      await writeAll(
        connection,
        encoder.encode("GET /cam/1.jpg HTTP/1.1\r\nHost: localhost\r\nX-A: "),
      );
      slow.push(connection);
    }
    const response = await fetch(`${viewer.url}cam/1.jpg`);
    assert.equal((await response.bytes()).length, lanes.latest("greyscale-0")!.bytes.length);
    const page = await TestPage.open(viewer);
    page.watch("greyscale-0");
    await until(() => page.pictures.length === 1);
    await page.close();
    for (const connection of slow) connection.close();
  });
});

Deno.test("oversized and malformed requests are refused", async () => {
  await withViewer({}, async (viewer) => {
    const host = `Host: 127.0.0.1:${viewer.port}\r\n`;
    const refused = /^HTTP\/1\.1 4|^$/;
    for (
      const request of [
        `GET / HTTP/1.1\r\n${host}X-Big: ${"x".repeat(2 * MiB)}\r\n\r\n`,
        `GET / HTTP/1.1\r\n${host}${"X-Many: 1\r\n".repeat(20_000)}\r\n`,
        `GET /${"a".repeat(MiB)} HTTP/1.1\r\n${host}\r\n`,
        `GET / HTTP/1.1\r\n${host}Content-Length: 5\r\nContent-Length: 6\r\n\r\n`,
        `GET / HTTP/9.9\r\n${host}\r\n`,
        `GET / HTTP/1.1\r\n\r\n`,
        "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        `DELETE /cam/1 HTTP/1.1\r\n${host}\r\n`,
        `PUT / HTTP/1.1\r\n${host}Content-Length: 0\r\n\r\n`,
      ]
    ) assert.match(await answer(viewer.port, request), refused, request.slice(0, 60));
    await isWell(viewer);
  });
});

Deno.test("no path leads to a file on disk", async () => {
  await withViewer({}, async (viewer) => {
    for (
      const path of [
        "/../deno.json",
        "/assets/../viewer.ts",
        "/assets/..%2fviewer.ts",
        "/assets/%2e%2e/viewer.ts",
        "/assets/page/../../deno.json",
        "/assets/page/..%5c..%5cdeno.json",
        "/assets//etc/passwd",
        "/assets/page/deno.json",
        "/assets/page/",
        "/assets/",
        "/assets/page/wall_page.ts%00.css",
        "/assets/session.ts",
        "/assets/refused",
        "/assets/page/login.html",
        "/cam/../../etc/passwd",
        "/queries/..%2f..%2fetc%2fpasswd",
      ]
    ) {
      const line = await answer(
        viewer.port,
        `GET ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`,
      );
      assert.match(line, /^HTTP\/1\.1 40[04]/, path);
    }
  });
});

Deno.test("a thousand random requests: no error of the server's own, nothing told, nothing dead", async () => {
  const reported: string[] = [];
  const token = "secret-token-of-this-test";
  const options = {
    tokens: [{ token, opens: "all" as const }],
    report: (line: string) => reported.push(line),
  };
  await withViewer(options, async (viewer, lanes) => {
    lanes.push("greyscale-0");
    const path = fc.oneof(
      fc.webPath(),
      fc.constantFrom(
        "/cam/1",
        "/cam/1.jpg",
        "/cameras/1,2",
        "/api/lanes",
        "/api/frame",
        "/api/range",
        "/api/clip.mp4",
        "/api/alerts/thumbnail",
        "/ws",
        "/metrics",
        "/queries/greyscale-0",
      ),
    );
    const query = fc.dictionary(
      fc.constantFrom("lane", "offset", "time", "width", "query", "token", "from", "to", "id"),
      fc.oneof(fc.string({ unit: "binary" }), fc.constantFrom("greyscale-0", "-1", "1e99", "NaN")),
    );
    const method = fc.constantFrom("GET", "HEAD", "POST", "OPTIONS", "PATCH");
    // Many wrong tokens are answered late: a test of their own.
    let tokens = 8;
    await fc.assert(
      fc.asyncProperty(path, query, method, fc.boolean(), async (path, query, any, known) => {
        // A form signs in, whatever its path.
        const method = any === "POST" && tokens-- <= 0 ? "GET" : any;
        const url = new URL(path.replace(/^\/+/, "/"), viewer.url);
        for (const [name, value] of Object.entries(query)) {
          if (name !== "token" || tokens-- > 0) url.searchParams.set(name, value);
        }
        const response = await fetch(url, {
          method,
          redirect: "manual",
          ...(method === "POST" ? { body: JSON.stringify(query) } : {}),
          headers: known ? { authorization: `Bearer ${token}` } : {},
        });
        const text = url.pathname === "/cam/1" && response.status === 200
          ? (await response.body?.cancel(), "")
          : await response.text();
        assert.ok(response.status < 500 || response.status === 503, `${response.status} ${url}`);
        assert.ok(!text.includes(token));
      }),
      { numRuns: 1_000 },
    );
    assert.deepEqual(reported, []);
    await isWell(viewer);
  });
});

Deno.test("a picture that claims to be huge is not decoded", async () => {
  await withViewer({ lanes: { count: 1 } }, async (viewer, lanes) => {
    const { bytes } = lanes.push("greyscale-0");
    // The size in the JPEG's header: 40,000 by 40,000 pixels would be 4.8 GB.
    const bomb = bytes.slice();
    const at = bomb.findIndex((byte, index) =>
      byte === 0xff && (bomb[index + 1] === 0xc0 || bomb[index + 1] === 0xc2)
    );
    new DataView(bomb.buffer).setUint32(at + 5, (40_000 << 16) | 40_000);
    const before = Deno.memoryUsage().rss;
    lanes.push("greyscale-0", { bytes: bomb });
    const response = await fetch(`${viewer.url}cam/1.jpg?width=160`);
    assert.equal(response.headers.get("content-type"), "application/octet-stream");
    await response.body!.cancel();
    assert.ok(Deno.memoryUsage().rss - before < 64 * MiB);
  });
});
