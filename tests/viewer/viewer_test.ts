import assert from "node:assert/strict";
import { streamOf } from "../../viewer/stream.ts";
import { LogError } from "../../runtime/log/log.ts";
import { MemoryLog } from "../../runtime/testing/memory_log.ts";
import { startViewer } from "../../viewer/viewer.ts";
import { FakeLanes, paintCode } from "../support/fake_lanes.ts";
import { hasIpv6 } from "../cameras/kit.ts";
import { readParts, TestPage, until, withViewer } from "./kit.ts";

Deno.test("the address that the viewer tells leads to it", async () => {
  for (const hostname of ["127.0.0.1", "localhost", ...(hasIpv6() ? ["::1", "[::1]"] : [])]) {
    await withViewer({ hostname }, async ({ url }) => {
      assert.match(await (await fetch(`${url}readyz`)).text(), /./, url);
    });
  }
});

Deno.test("a camera's stream begins with its newest picture and continues with the next", async () => {
  await withViewer({}, async (viewer, lanes) => {
    const idle = lanes.subscribers;
    const first = lanes.push("greyscale-1");
    const response = await fetch(`${viewer.url}cam/2`);
    assert.equal(response.status, 200);
    assert.match(response.headers.get("content-type")!, /^multipart\/x-mixed-replace; boundary=/);
    assert.equal(response.headers.get("cache-control"), "no-store");
    const second = Promise.withResolvers<Uint8Array>();
    const parts = await readParts(
      response,
      2,
      () => second.resolve(lanes.push("greyscale-1").bytes),
    );
    assert.deepEqual(parts[0]!.body, first.bytes);
    assert.deepEqual(parts[1]!.body, await second.promise);
    assert.match(parts[1]!.headers, /Content-Type: image\/jpeg/);
    assert.match(parts[1]!.headers, /X-Framelane-Offset: 1\r\n/);
    await until(() => lanes.subscribers === idle, "the stream has let go of the feed");
  });
});

Deno.test("a part says what its bytes are, whatever the record's headers claim", async () => {
  await withViewer({}, async (viewer, lanes) => {
    const headers = { "content-type": "text/html" };
    lanes.push("greyscale-0", { headers });
    const jpeg = await fetch(`${viewer.url}cam/1.jpg`);
    assert.equal(jpeg.headers.get("content-type"), "image/jpeg");
    await jpeg.body!.cancel();
    const script = new TextEncoder().encode("<script>alert(1)</script>");
    lanes.push("greyscale-0", { headers, bytes: script });
    const none = await fetch(`${viewer.url}cam/1.jpg`);
    assert.equal(none.headers.get("content-type"), "application/octet-stream");
    assert.equal(none.headers.get("x-content-type-options"), "nosniff");
    await none.body!.cancel();
  });
});

Deno.test("a camera that is not is 404, one that has not sent yet is 503", async () => {
  await withViewer({}, async (viewer) => {
    for (const path of ["cam/4", "cam/4.jpg", "cam/0", "cam/x", "cam/1.png", "cam/-1"]) {
      const response = await fetch(viewer.url + path);
      assert.equal(response.status, 404, path);
      await response.body?.cancel();
    }
    for (const path of ["cam/1", "cam/1.jpg"]) {
      const response = await fetch(viewer.url + path);
      assert.equal(response.status, 503, path);
      assert.equal(response.headers.get("retry-after"), "1");
      assert.match(await response.text(), /CAMERA-1 has not sent a frame yet/);
    }
  });
});

Deno.test("HEAD answers like GET, with its length", async () => {
  await withViewer({}, async (viewer, lanes) => {
    lanes.push("greyscale-0");
    for (const path of ["", "cam/1.jpg", "metrics", "healthz", "nothing"]) {
      const answers = ["HEAD", "GET"].map((method) => fetch(viewer.url + path, { method }));
      const [head, get] = await Promise.all(answers);
      assert.equal(head!.status, get!.status, path);
      const [of, like] = [head!, get!].map(({ headers }) =>
        [...headers].filter(([name]) => name !== "date")
      );
      assert.deepEqual(of, like);
      assert.equal((await head!.bytes()).length, 0, path);
      await get!.body?.cancel();
    }
  });
});

Deno.test("HEAD of a stream holds nothing open, and tells no length", async () => {
  const log = new MemoryLog();
  log.createTopic("VideoStreaming", 1);
  const record = { key: null, value: paintCode(0, 1, 160, 90), timestamp: 1, headers: {} };
  log.append("VideoStreaming", 0, [record]);
  await withViewer({ lanes: { count: 1 }, log }, async (viewer, lanes) => {
    lanes.push("greyscale-0");
    const idle = lanes.subscribers;
    for (const path of ["cam/1", "api/clip.mp4?lane=greyscale-0&from=0&to=0"]) {
      // More often than there are places.
      for (let i = 0; i < 5; i++) {
        const response = await fetch(viewer.url + path, { method: "HEAD" });
        assert.equal(response.status, 200, path);
        assert.equal(response.headers.get("content-length"), null, path);
        await response.bytes();
        assert.equal(lanes.subscribers, idle, path);
      }
    }
  });
});

Deno.test("a list of cameras is read as people and programs write it", async () => {
  await withViewer({}, async (viewer) => {
    const statusOf = async (list: string) => {
      const response = await fetch(`${viewer.url}cameras/${list}`);
      await response.body?.cancel();
      return response.status;
    };
    for (const list of ["1", "1,3", "1, 3", "1%2C3", "3,3,99"]) {
      assert.equal(await statusOf(list), 200, list);
    }
    for (const list of ["a", "0", "1,0", "1,", "1,,3", "-1", "1;3"]) {
      assert.equal(await statusOf(list), 404, list);
    }
  });
});

Deno.test("a snapshot is not sent twice to who has it", async () => {
  await withViewer({}, async (viewer, lanes) => {
    const picture = lanes.push("greyscale-0");
    const first = await fetch(`${viewer.url}cam/1.jpg`);
    assert.deepEqual(await first.bytes(), picture.bytes);
    const etag = first.headers.get("etag")!;
    // Proxies that compress weaken tags, caches name all that they have.
    for (const known of [etag, `W/${etag}`, `"another", ${etag}`, "*"]) {
      const again = await fetch(`${viewer.url}cam/1.jpg`, { headers: { "if-none-match": known } });
      assert.equal(again.status, 304, known);
      await again.body?.cancel();
    }
    lanes.push("greyscale-0");
    const newer = await fetch(`${viewer.url}cam/1.jpg`, { headers: { "if-none-match": etag } });
    assert.equal(newer.status, 200);
    await newer.body?.cancel();
  });
});

Deno.test("a stream gives its place back, however early it fails", async () => {
  // deno-lint-ignore require-yield
  async function* failing() {
    throw await Promise.resolve(new Error("There is no decoder"));
  }
  async function* empty() {}
  const { signal: stopped } = new AbortController();
  for (const chunks of [failing, empty]) {
    const left = new Set<string>();
    const onEnd = () => void left.add("left");
    const stream = streamOf(chunks, { stopped, onEnd }).catch(({ message }) => message);
    assert.ok([undefined, "There is no decoder"].includes(await stream));
    assert.equal(left.size, 1);
  }
});

Deno.test("?query= says which of a camera's queries is meant", async () => {
  await withViewer({}, async (viewer, lanes) => {
    lanes.add({ ...lanes.lanes()[0]!, id: "motion-0", query: "motion" });
    lanes.push("greyscale-0");
    const motion = lanes.push("motion-0", { offset: 41 });
    const response = await fetch(`${viewer.url}cam/1.jpg?query=motion`);
    assert.equal(response.headers.get("x-framelane-offset"), String(motion.offset));
    await response.body!.cancel();
    const none = await fetch(`${viewer.url}cam/1.jpg?query=other`);
    assert.equal(none.status, 404);
    await none.body!.cancel();
  });
});

Deno.test("numbers come as JSON and as Prometheus reads them, without secrets", async () => {
  await withViewer({}, async (viewer, lanes) => {
    lanes.change("greyscale-2", {
      state: "failed",
      exception: "Cannot read rtsp://admin:hunter2.s3cret@10.0.0.7/stream",
    });
    const metrics = await fetch(`${viewer.url}metrics`);
    assert.match(metrics.headers.get("content-type")!, /^text\/plain; version=0\.0\.4/);
    assert.equal(await metrics.text(), "framelane_build_info 1\n");
    const text = await (await fetch(`${viewer.url}api/lanes`)).text();
    assert.equal(JSON.parse(text).length, 3);
    assert.ok(!text.includes("hunter2"), text);
    assert.deepEqual(await (await fetch(`${viewer.url}api/queries`)).json(), []);
    const page = await TestPage.open(viewer);
    await until(() => page.messages.some(({ type }) => type === "lanes"));
    assert.ok(!JSON.stringify(page.messages).includes("hunter2"));
    await page.close();
  });
});

Deno.test("a log that cannot be read is said as such, and is no fault of the viewer", async () => {
  const log = new MemoryLog();
  await log.createTopic("VideoStreaming", 1);
  const reported: string[] = [];
  const report = (message: string) => void reported.push(message);
  await withViewer({ log, report }, async (viewer) => {
    const range = async (error: Error) => {
      log.offsets = () => Promise.reject(error);
      const response = await fetch(`${viewer.url}api/range?lane=greyscale-0`);
      return [response.status, (await response.text()).trim()];
    };
    const away = new LogError("UNREACHABLE", "Away", { retryable: true });
    assert.deepEqual(await range(away), [503, "The log is unreachable"]);
    const deleted = new LogError("DELETED", "kafka://anna:hunter2@log was deleted");
    assert.deepEqual(await range(deleted), [503, "kafka://anna:***@log was deleted"]);
    assert.deepEqual(reported, []);
    assert.deepEqual(await range(new Error("Odd")), [500, "Internal error in the viewer"]);
    assert.equal(reported.length, 1);
  });
});

Deno.test("ready means that the log answers and every query has begun", async () => {
  const log = new MemoryLog();
  await log.createTopic("VideoStreaming", 3);
  await withViewer({ log }, async (viewer, lanes) => {
    const ready = async () => {
      const response = await fetch(`${viewer.url}readyz`);
      return [response.status, (await response.text()).trim()];
    };
    assert.deepEqual(await ready(), [200, "ready"]);
    lanes.change("greyscale-1", { state: "starting" });
    assert.deepEqual(await ready(), [503, "1 of 3 queries have not begun"]);
    lanes.change("greyscale-1", { state: "restarting" });
    assert.deepEqual(await ready(), [200, "ready"]);
    log.partitionCount = () => Promise.reject(new LogError("UNREACHABLE", "Away"));
    assert.deepEqual(await ready(), [503, "The log is unreachable"]);
    const alive = await fetch(`${viewer.url}healthz`);
    assert.equal(await alive.text(), "ok\n");
  });
});

Deno.test("a port in use is said, and so is a port that is none", async () => {
  await withViewer({}, async ({ port }) => {
    // It does not wait for a log that hangs.
    const log = new MemoryLog();
    log.partitionCount = () => new Promise(() => {});
    const options = {
      feed: new FakeLanes({ count: 1 }),
      metrics: () => Promise.resolve(""),
      log,
      topics: ["VideoStreaming"],
    };
    await assert.rejects(
      startViewer({ ...options, port }),
      new RegExp(`Cannot listen on 127.0.0.1:${port}: another program uses this port`),
    );
    await assert.rejects(startViewer({ ...options, port: 70_000 }), /Cannot listen on port 70000/);
  });
});

Deno.test("the page's files are there, compressed when asked for, and light", async () => {
  await withViewer({}, async (viewer) => {
    const seen = new Set<string>();
    let weight = 0;
    const load = async (path: string): Promise<void> => {
      if (seen.has(path)) return;
      seen.add(path);
      const response = await fetch(new URL(path, viewer.url));
      assert.equal(response.status, 200, path);
      const text = await response.text();
      weight += text.length;
      const references = path.endsWith(".ts")
        ? [...text.matchAll(/from "(\.[^"]+)"/g)].map(([, to]) =>
          new URL(to!, response.url).pathname
        )
        : [...text.matchAll(/(?:src|href)="(\/assets[^"]+)"/g)].map(([, to]) => to!);
      for (const reference of references) await load(reference);
    };
    await load("/");
    assert.ok([...seen].some((path) => path.endsWith("/protocol.ts")), [...seen].join());
    assert.ok(weight < 180_000, `The page weighs ${weight} bytes`);
    const response = await fetch(`${viewer.url}assets/page/wall_page.ts`);
    assert.equal(response.headers.get("content-type"), "text/javascript; charset=utf-8");
    const etag = response.headers.get("etag")!;
    await response.body!.cancel();
    const again = await fetch(`${viewer.url}assets/page/wall_page.ts`, {
      headers: { "if-none-match": etag },
    });
    assert.equal(again.status, 304);
    await again.body?.cancel();
  });
});

Deno.test("stopping ends streams and sockets", async () => {
  const lanes = new FakeLanes({ count: 1 });
  const viewer = await startViewer({
    feed: lanes,
    metrics: () => Promise.resolve(""),
    topics: [],
    port: 0,
  });
  lanes.push("greyscale-0");
  const response = await fetch(`${viewer.url}cam/1`);
  const page = await TestPage.open(viewer);
  await viewer.stop();
  await response.body!.pipeTo(new WritableStream()).catch(() => {});
  assert.equal((await page.closed).code, 1001);
  assert.equal(lanes.subscribers, 0);
});

Deno.test("a query that failed leaves the wall ready, and readyz says so", async () => {
  await withViewer({ lanes: { count: 3 } }, async (viewer, lanes) => {
    lanes.change("greyscale-1", { state: "failed" });
    const response = await fetch(`${viewer.url}readyz`);
    assert.equal(response.status, 200);
    assert.equal(
      (await response.text()).trim(),
      "ready; 1 of 3 queries have failed",
    );
  });
});

Deno.test("a file of the page is compressed only if the client accepts gzip", async () => {
  await withViewer({}, async (viewer) => {
    const cases: [string, string | undefined][] = [
      ["gzip", "gzip"],
      ["br, GZIP;q=0.5", "gzip"],
      ["*", undefined],
      ["identity", undefined],
      ["gzip;q=0", undefined],
      ["br, gzip; q=0.000, *", undefined],
      ["*;q=0", undefined],
      ["gzip2", undefined],
    ];
    for (const [accepted, expected] of cases) {
      const answer = await raw(viewer.url, `accept-encoding: ${accepted}`);
      assert.match(answer, /^HTTP\/1.1 200/, accepted);
      assert.equal(/content-encoding: (\w+)/i.exec(answer)?.[1], expected, accepted);
    }
  });
});

/** The head of an answer; `fetch` sends headers of its own. */
async function raw(url: string, header: string): Promise<string> {
  const { hostname, port, host } = new URL(url);
  using connection = await Deno.connect({ hostname, port: Number(port) });
  const request = `GET / HTTP/1.1\r\nhost: ${host}\r\n${header}\r\nconnection: close\r\n\r\n`;
  await connection.write(new TextEncoder().encode(request));
  let text = "";
  const decoder = new TextDecoder("latin1");
  for await (const chunk of connection.readable) text += decoder.decode(chunk);
  return text.slice(0, text.indexOf("\r\n\r\n"));
}
