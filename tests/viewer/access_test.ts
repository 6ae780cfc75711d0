import assert from "node:assert/strict";
import { MemoryLog } from "../../runtime/testing/memory_log.ts";
import { Access } from "../../viewer/access.ts";
import { startViewer, type ViewerOptions } from "../../viewer/viewer.ts";
import { FakeLanes } from "../support/fake_lanes.ts";
import { TestPage, until, withViewer } from "./kit.ts";

const TOKEN = "correct-horse-battery";
const ALL = [{ token: TOKEN, opens: "all" }] as const;
const PAGE = { accept: "text/html" };

async function status(url: string, init: RequestInit = {}): Promise<number> {
  const response = await fetch(url, { redirect: "manual", ...init });
  await response.body?.cancel();
  return response.status;
}

/** A request as bytes: fetch would not let a test lie about Host and Origin. */
async function raw(port: number, head: string): Promise<string> {
  const connection = await Deno.connect({ port });
  await connection.write(new TextEncoder().encode(head));
  const buffer = new Uint8Array(65_536);
  const length = await connection.read(buffer) ?? 0;
  connection.close();
  return new TextDecoder().decode(buffer.subarray(0, length));
}

const statusLine = async (port: number, head: string) => (await raw(port, head)).split("\r\n")[0];

Deno.test("an address open to others needs a token, or a proxy that asks for one", async () => {
  const options = (hostname: string): ViewerOptions => ({
    feed: new FakeLanes({ count: 1 }),
    metrics: () => Promise.resolve(""),
    ...{ topics: [], port: 0, hostname },
  });
  for (const hostname of ["0.0.0.0", "::", "192.168.1.5", "example.org"]) {
    await assert.rejects(
      startViewer(options(hostname)),
      (error: Error) => error.message.startsWith(`Cannot bind the viewer to ${hostname} without`),
    );
  }
  for (const change of [{ tokens: ALL }, { proxyHosts: ["wall.example.org"] }]) {
    const viewer = await startViewer({ ...options("0.0.0.0"), ...change });
    await viewer.stop();
  }
  await assert.rejects(
    startViewer({ ...options("127.0.0.1"), tokens: [{ token: "x", opens: [1] }] }),
    /Cannot limit cameras without a token/,
  );
});

Deno.test("with a token every route but health and the page's files asks for it", async () => {
  await withViewer(
    { tokens: ALL, log: new MemoryLog() },
    async (viewer, lanes) => {
      lanes.push("greyscale-0");
      const closed = [
        "",
        "cam/1",
        "cam/1.jpg",
        "cameras/1",
        "queries/greyscale-0",
        "api/lanes",
        "api/queries",
        "api/queries/greyscale-0",
        "api/alerts",
        "api/alerts/thumbnail?id=x",
        "api/range?lane=greyscale-0",
        "api/frame?lane=greyscale-0&offset=0",
        "api/clip.mp4?lane=greyscale-0&from=0&to=1",
        "metrics",
        "ws",
        "nothing",
      ];
      for (const path of closed) {
        assert.equal(await status(viewer.url + path), 401, path);
        const wrong = { headers: { authorization: "Bearer wrong" } };
        assert.equal(await status(viewer.url + path, wrong), 401, path);
        const right = { headers: { authorization: `Bearer ${TOKEN}` } };
        assert.notEqual(await status(viewer.url + path, right), 401, path);
      }
      assert.equal(await status(`${viewer.url}healthz`), 200);
      assert.equal(await status(`${viewer.url}assets/page/styles.css`), 200);
      await assert.rejects(TestPage.open(viewer), /refused/);
      const page = await TestPage.open(viewer, { authorization: `Bearer ${TOKEN}` });
      await page.close();
    },
  );
});

Deno.test("a token in the address becomes a cookie that does not tell it", async () => {
  await withViewer({ tokens: ALL }, async (viewer) => {
    const response = await fetch(`${viewer.url}cameras/1,2?q=x&token=${TOKEN}`, {
      headers: { ...PAGE, "x-forwarded-proto": "https" }, // a proxy
      redirect: "manual",
    });
    await response.body?.cancel();
    assert.equal(response.status, 303);
    assert.equal(response.headers.get("location"), "/cameras/1,2?q=x");
    const cookie = response.headers.get("set-cookie")!;
    assert.match(cookie, /; HttpOnly; SameSite=Strict; Max-Age=\d+; Secure$/);
    assert.ok(!cookie.includes(TOKEN));
    const pair = cookie.split(";")[0]!;
    assert.equal(await status(viewer.url, { headers: { ...PAGE, cookie: pair } }), 200);
    assert.equal(await status(`${viewer.url}api/lanes`, { headers: { cookie: pair } }), 200);
    assert.equal(await status(viewer.url, { headers: { ...PAGE, cookie: `${pair}x` } }), 401);
    const other = pair.replace(/-\d+=/, "-1=");
    assert.equal(await status(viewer.url, { headers: { ...PAGE, cookie: other } }), 401);
    // The cookie itself is no token.
    const value = pair.slice(pair.indexOf("=") + 1);
    const bearer = { headers: { authorization: `Bearer ${value}` } };
    assert.equal(await status(`${viewer.url}api/lanes`, bearer), 401);
    assert.equal(
      await status(`${viewer.url}cam/1.jpg?token=${TOKEN}`),
      503,
      "for programs as it is",
    );
  });
});

Deno.test("a POST where no token is asked for is refused as a method, not as a sign-in", async () => {
  await withViewer({}, async (viewer) => {
    assert.equal(await status(`${viewer.url}api/queries`, { method: "POST" }), 405);
  });
});

Deno.test("people sign in on a page, and come back to where they were", async () => {
  await withViewer({ tokens: ALL }, async (viewer) => {
    const page = await fetch(`${viewer.url}cameras/1`, { headers: PAGE });
    assert.equal(page.status, 401);
    assert.match(await page.text(), /<form method="post">/);
    const sign = (token: string, headers: Record<string, string> = {}) =>
      fetch(`${viewer.url}cameras/1?q=a`, {
        method: "POST",
        body: new URLSearchParams({ token }),
        headers,
        redirect: "manual",
      });
    const wrong = await sign("guess");
    assert.deepEqual([wrong.status, wrong.headers.get("set-cookie")], [401, null]);
    await wrong.body?.cancel();
    const right = await sign(TOKEN);
    assert.deepEqual([right.status, right.headers.get("location")], [303, "/cameras/1?q=a"]);
    assert.doesNotMatch(right.headers.get("set-cookie")!, /Secure/);
    await right.body?.cancel();
    const foreign = await sign(TOKEN, { origin: "https://evil.example" });
    assert.equal(foreign.status, 403);
    await foreign.body?.cancel();
    const huge = await sign("x".repeat(100_000));
    assert.equal(huge.status, 413);
    await huge.body?.cancel();
    // A path of two slashes would lead to another server.
    const moved = await raw(
      viewer.port,
      `GET //evil.example/?token=${TOKEN} HTTP/1.1\r\nHost: 127.0.0.1:${viewer.port}\r\n` +
        "Accept: text/html\r\nConnection: close\r\n\r\n",
    );
    assert.match(moved, /location: \/evil\.example/i);
  });
});

Deno.test("a link from another site is followed once more, with the strict cookie", async () => {
  await withViewer({ tokens: ALL }, async (viewer) => {
    const response = await fetch(`${viewer.url}?q=gate`, {
      headers: { ...PAGE, "sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate" },
    });
    await response.body?.cancel();
    assert.equal(response.headers.get("refresh"), "0; url=/?q=gate");
    assert.equal(response.headers.get("set-cookie"), null);
  });
});

Deno.test("metrics have a token of their own", async () => {
  const metrics = { token: "prometheus", opens: "metrics" } as const;
  const both = { tokens: [...ALL, metrics] };
  await withViewer(both, async (viewer) => {
    const as = (token: string) => ({ headers: { authorization: `Bearer ${token}` } });
    assert.equal(await status(`${viewer.url}metrics`, as("prometheus")), 200);
    assert.equal(await status(`${viewer.url}metrics`, as(TOKEN)), 200);
    assert.equal(await status(`${viewer.url}metrics`, as("other")), 401);
    assert.equal(await status(`${viewer.url}api/lanes`, as("prometheus")), 401);
  });
  await withViewer({ tokens: [metrics] }, async (viewer) => {
    assert.equal(await status(`${viewer.url}metrics`), 401);
    assert.equal(await status(viewer.url), 200);
  });
});

Deno.test("who may see some cameras sees nothing of the others, on no route", async () => {
  const log = new MemoryLog();
  await log.createTopic("VideoStreaming", 3);
  const gate = { token: "gate", opens: [2] };
  const options = { tokens: [{ token: TOKEN, opens: "all" }, gate], log } as const;
  await withViewer(options, async (viewer, lanes) => {
    for (const { id } of lanes.lanes()) {
      lanes.push(id, { result: { alert: { id: "a", state: "start", label: "fight", peak: 1 } } });
    }
    const headers = { authorization: "Bearer gate" };
    const get = (path: string) => status(viewer.url + path, { headers });
    const json = async (path: string) => await (await fetch(viewer.url + path, { headers })).json();
    assert.equal(await get("cam/2.jpg"), 200);
    for (
      const path of [
        "cam/1",
        "cam/1.jpg",
        "cam/3.jpg?query=raw",
        "queries/greyscale-0",
        "api/queries/greyscale-0",
        "api/range?lane=greyscale-0",
        "api/range?lane=raw-0",
        "api/frame?lane=greyscale-0&offset=0",
        "api/clip.mp4?lane=greyscale-0&from=0&to=1",
        "api/alerts/thumbnail?id=VideoStreaming%200%20a",
      ]
    ) assert.equal(await get(path), 404, path);
    assert.equal(await get("metrics"), 401);
    const seen = (await json("api/lanes")).map(({ partition }: { partition: number }) => partition);
    assert.ok(seen.length > 0 && seen.every((partition: number) => partition === 1));
    assert.equal((await json("api/alerts")).length, 1);
    const page = await TestPage.open(viewer, headers);
    page.watch("greyscale-0", "greyscale-1", "raw-0");
    await until(() => page.pictures.length > 0);
    lanes.push("greyscale-0");
    const { offset } = lanes.push("greyscale-1");
    await until(() => page.newest(1)?.offset === offset);
    await page.time({ action: "seek", lead: "greyscale-0", offset: 0 });
    assert.ok(page.pictures.every(({ lane }) => lane === "greyscale-1"));
    for (const message of page.messages) {
      if (message.type === "lanes") {
        assert.ok(message.lanes.every(({ partition }) => partition === 1));
      }
      if (message.type === "alerts") {
        assert.ok(message.alerts.every(({ lane }) => lane === "greyscale-1"));
      }
    }
    await page.close();
  });
});

Deno.test("a foreign name that leads here is refused, as is a foreign page's socket", async () => {
  await withViewer({}, async ({ port }) => {
    const get = (path: string, host: string, more = "") =>
      statusLine(port, `GET ${path} HTTP/1.1\r\nHost: ${host}\r\n${more}Connection: close\r\n\r\n`);
    for (const host of [`127.0.0.1:${port}`, `localhost:${port}`, "localhost", `[::1]:${port}`]) {
      assert.match((await get("/api/lanes", host))!, /200/, host);
    }
    for (
      const host of ["evil.example", `evil.example:${port}`, "127.0.0.1.evil.example", "a b", ""]
    ) {
      for (const path of ["/", "/api/lanes", "/cam/1.jpg", "/ws"]) {
        assert.match((await get(path, host))!, /40[03]/, `${path} of ${host}`);
      }
    }
    const upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" +
      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    const socket = (more: string) =>
      statusLine(port, `GET /ws HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n${upgrade}${more}\r\n`);
    assert.match((await socket(""))!, /101/);
    assert.match((await socket(`Origin: http://127.0.0.1:${port}\r\n`))!, /101/);
    for (
      const origin of [
        "http://evil.example",
        `http://127.0.0.1:${port + 1}`,
        `http://localhost:${port}`,
        "null",
        "file://",
        "garbage",
      ]
    ) assert.match((await socket(`Origin: ${origin}\r\n`))!, /403/, origin);
  });
});

Deno.test("other sites' pages get nothing; those that the owner named may embed cameras", async () => {
  await withViewer({}, async (viewer, lanes) => {
    lanes.push("greyscale-0");
    const from = (site: string, mode = "no-cors") => ({
      headers: { "sec-fetch-site": site, "sec-fetch-mode": mode },
    });
    for (
      const path of ["", "cam/1", "cam/1.jpg", "api/lanes", "metrics", "assets/page/wall_page.ts"]
    ) {
      assert.equal(await status(viewer.url + path, from("cross-site")), 403, path);
      assert.equal(await status(viewer.url + path, from("same-site")), 403, path);
      assert.equal(await status(viewer.url + path, from("same-origin")), 200, path);
      assert.equal(await status(viewer.url + path, from("cross-site", "navigate")), 200, path);
    }
    const response = await fetch(viewer.url);
    await response.body!.cancel();
    const { headers } = response;
    assert.match(headers.get("content-security-policy")!, /default-src 'none'; script-src 'self';/);
    assert.match(headers.get("content-security-policy")!, /frame-ancestors 'none'/);
    assert.equal(headers.get("cross-origin-resource-policy"), "same-origin");
    assert.equal(headers.get("x-frame-options"), "DENY");
    assert.equal(headers.get("access-control-allow-origin"), null);
  });
  await withViewer({ embedOrigins: ["https://house.example"] }, async (viewer, lanes) => {
    lanes.push("greyscale-0");
    const embed = (referer: string) =>
      fetch(`${viewer.url}cam/1.jpg`, {
        headers: { "sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors", referer },
      });
    const friend = await embed("https://house.example/dashboard");
    assert.equal(friend.status, 200);
    assert.equal(friend.headers.get("cross-origin-resource-policy"), "cross-origin");
    await friend.body!.cancel();
    for (
      const referer of ["https://house.example.evil", "https://evil.example/?https://house.example"]
    ) {
      const stranger = await embed(referer);
      assert.equal(stranger.status, 403);
      await stranger.body!.cancel();
    }
  });
});

Deno.test("behind a proxy its public name is the viewer's own", async () => {
  await withViewer({ proxyHosts: ["wall.example.org"] }, async ({ port }) => {
    const get = (host: string, more = "") =>
      statusLine(port, `GET / HTTP/1.1\r\nHost: ${host}\r\n${more}Connection: close\r\n\r\n`);
    assert.match((await get("wall.example.org"))!, /200/);
    assert.match((await get("evil.example"))!, /403/);
  });
});

Deno.test("the eleventh wrong token is answered late, a right one at once; a minute of peace forgets ten", async () => {
  let now = 0;
  const slept: number[] = [];
  const clock = {
    now: () => now,
    monotonic: () => now,
    sleep: (ms: number) => Promise.resolve(void slept.push(ms)),
  };
  const access = new Access({
    hostname: "0.0.0.0",
    tokens: ALL,
    clock,
  });
  const guess = async (times: number) => {
    for (let i = 0; i < times; i++) assert.equal(await access.visitorOfToken(`${i}`), undefined);
  };
  await guess(10);
  assert.deepEqual(slept, []);
  await guess(2);
  assert.deepEqual(slept, [2_000, 2_000]);
  assert.notEqual(await access.visitorOfToken(TOKEN), undefined);
  assert.equal(slept.length, 2);
  now += 72_000;
  await guess(10);
  assert.equal(slept.length, 2);
});
