import assert from "node:assert/strict";
import { decodePicture, type ServerMessage } from "../../viewer/protocol.ts";
import { startViewer, type Viewer, type ViewerOptions } from "../../viewer/viewer.ts";
import { FakeLanes } from "../support/fake_lanes.ts";

async function withViewer(
  options: Partial<ViewerOptions>,
  body: (viewer: Viewer, lanes: FakeLanes) => Promise<void>,
): Promise<void> {
  const lanes = new FakeLanes({ count: 3 });
  const viewer = await startViewer({
    feed: lanes,
    metrics: () => Promise.resolve("framelane_build_info 1\n"),
    topics: ["VideoStreaming"],
    port: 0,
    ...options,
  });
  try {
    await body(viewer, lanes);
  } finally {
    await viewer.stop();
  }
}

/** Parts of a multipart stream: headers and bytes. */
async function readParts(response: Response, count: number): Promise<Uint8Array[]> {
  const parts: Uint8Array[] = [];
  let rest = new Uint8Array();
  for await (const chunk of response.body!) {
    const joined = new Uint8Array(rest.length + chunk.length);
    joined.set(rest);
    joined.set(chunk, rest.length);
    rest = joined;
    while (true) {
      const text = new TextDecoder("latin1").decode(rest);
      const head = text.match(/Content-Length: (\d+)\r\n(?:.+\r\n)*\r\n/);
      if (head === null) break;
      const start = head.index! + head[0].length;
      const length = Number(head[1]);
      if (rest.length < start + length) break;
      parts.push(rest.slice(start, start + length));
      rest = rest.slice(start + length);
      if (parts.length === count) return parts;
    }
  }
  return parts;
}

Deno.test("a camera's stream begins with its newest picture and goes on with the next", async () => {
  await withViewer({}, async (viewer, lanes) => {
    const idle = lanes.subscribers;
    const first = lanes.push("greyscale-1");
    const response = await fetch(`${viewer.url}cam/2`);
    assert.equal(response.status, 200);
    assert.match(response.headers.get("content-type")!, /^multipart\/x-mixed-replace; boundary=/);
    const reading = readParts(response, 2);
    await until(() => lanes.subscribers > idle);
    const second = lanes.push("greyscale-1");
    const parts = await reading;
    // The second may be the newest by the time the first is asked for.
    assert.deepEqual(parts[0], first.bytes);
    assert.deepEqual(parts[1], second.bytes);
    await until(() => lanes.subscribers === idle);
  });
});

Deno.test("a camera that is not is 404, one that has not sent yet is 503", async () => {
  await withViewer({}, async (viewer) => {
    for (const path of ["cam/4", "cam/4.jpg", "cam/0"]) {
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

Deno.test("the socket sends state and the newest picture of each watched tile", async () => {
  await withViewer({}, async (viewer, lanes) => {
    const pushed = lanes.push("greyscale-2");
    const socket = new WebSocket(`${viewer.url.replace("http", "ws")}ws`);
    socket.binaryType = "arraybuffer";
    const messages: ServerMessage[] = [];
    const pictures: ReturnType<typeof decodePicture>[] = [];
    socket.onmessage = ({ data }) => {
      if (typeof data === "string") messages.push(JSON.parse(data));
      else pictures.push(decodePicture(data));
    };
    await new Promise((resolve) => socket.onopen = resolve);
    socket.send(JSON.stringify({
      type: "watch",
      tiles: [{ slot: 7, lane: "greyscale-2", width: 0 }],
    }));
    await until(() => pictures.length === 1 && messages.some(({ type }) => type === "lanes"));
    assert.equal(pictures[0]!.slot, 7);
    assert.equal(pictures[0]!.offset, pushed.offset);
    assert.deepEqual(pictures[0]!.image, pushed.bytes);
    assert.deepEqual([pictures[0]!.sourceWidth, pictures[0]!.sourceHeight], [320, 240]);
    const closed = new Promise((resolve) => socket.onclose = resolve);
    socket.close();
    await closed;
  });
});

Deno.test("an address open to others needs a token", async () => {
  await assert.rejects(
    withViewer({ hostname: "0.0.0.0" }, () => Promise.resolve()),
    /Cannot bind the viewer to 0\.0\.0\.0 without a token/,
  );
});

/** Waits for a condition, looking at it again after each turn of the event loop. */
async function until(condition: () => boolean): Promise<void> {
  const deadline = performance.now() + 5_000;
  while (!condition()) {
    assert.ok(performance.now() < deadline, `Never came true: ${condition}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
