import assert from "node:assert/strict";
import { systemClock } from "../../runtime/base/clock.ts";
import { writeAll } from "../../runtime/base/bytes.ts";
import { Gate, type GateOptions } from "../../viewer/gate.ts";
import { TestPage, until, withViewer } from "./kit.ts";
import { settle } from "../../runtime/testing.ts";

const encoder = new TextEncoder();

/** A gate before a server that greets, streams without end at `/stream`, and never answers `/deaf`. */
async function withGate(
  options: Partial<GateOptions>,
  body: (port: number, gate: Gate) => Promise<void>,
): Promise<void> {
  const deaf: (() => void)[] = [];
  const server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen: () => {} }, (request) => {
    const { pathname } = new URL(request.url);
    if (pathname === "/deaf") {
      return new Promise<Response>((resolve) => deaf.push(() => resolve(new Response())));
    }
    if (pathname !== "/stream") return new Response("hello");
    return new Response(
      new ReadableStream({ pull: (controller) => controller.enqueue(new Uint8Array(65_536)) }),
    );
  });
  const gate = new Gate({
    hostname: "127.0.0.1",
    port: 0,
    target: server.addr.port,
    clock: systemClock,
    ...options,
  });
  try {
    await body(gate.port, gate);
  } finally {
    await gate.close();
    for (const answer of deaf) answer();
    await server.shutdown();
  }
}

async function ended(connection: Deno.TcpConn): Promise<boolean> {
  try {
    while (await connection.read(new Uint8Array(4_096)) !== null);
    return true;
  } catch (error) {
    return error instanceof Deno.errors.ConnectionReset;
  }
}

const get = (path: string) => encoder.encode(`GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`);

Deno.test("requests pass, one after the other on a connection", async () => {
  await withGate({}, async (port, gate) => {
    for (let i = 0; i < 3; i++) {
      assert.equal(await (await fetch(`http://127.0.0.1:${port}/`)).text(), "hello");
    }
    using connection = await Deno.connect({ port });
    for (let i = 0; i < 2; i++) {
      // In pieces, as networks may deliver it.
      for (const byte of get("/")) await connection.write(new Uint8Array([byte]));
      const buffer = new Uint8Array(4_096);
      const length = await connection.read(buffer);
      assert.match(new TextDecoder().decode(buffer.subarray(0, length!)), /hello$/);
    }
    assert.ok(gate.open >= 1);
  });
});

Deno.test("who says little, and ever more slowly, is not waited for", async () => {
  await withGate({ requestMs: 300 }, async (port, gate) => {
    using silent = await Deno.connect({ port });
    using slow = await Deno.connect({ port });
    using body = await Deno.connect({ port });
    using second = await Deno.connect({ port });
    await slow.write(encoder.encode("GET / HTTP/1.1\r\nHost: x\r\nX-A: "));
    await body.write(
      encoder.encode("POST /deaf HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\nab"),
    );
    await second.write(get("/"));
    await second.read(new Uint8Array(4_096));
    await second.write(encoder.encode("GET /de"));
    const drip = setInterval(() => slow.write(encoder.encode("x")).catch(() => {}), 50);
    const ends = await Promise.all([silent, slow, second].map(ended));
    clearInterval(drip);
    assert.deepEqual(ends, [true, true, true]);
    assert.ok(await ended(body));
    await until(() => gate.open === 0, "all have gone");
  });
});

Deno.test("a head of more than 64 KiB is refused, also as the second of a connection", async () => {
  await withGate({ requestMs: 600_000 }, async (port, gate) => {
    for (const before of ["", "/"]) {
      using connection = await Deno.connect({ port });
      if (before !== "") {
        await connection.write(get(before));
        await connection.read(new Uint8Array(4_096));
      }
      await until(() => gate.open === 1);
      const endless = encoder.encode(`GET / HTTP/1.1\r\nX: ${"x".repeat(70_000)}`);
      await writeAll(connection, endless).catch(() => {});
      await until(() => gate.open === 0, "it was refused");
    }
  });
});

Deno.test("who never reads is not written to for ever", async () => {
  await withGate({ stallMs: 300 }, async (port, gate) => {
    using reader = await Deno.connect({ port });
    await reader.write(get("/stream"));
    await until(() => gate.open === 1);
    await until(() => gate.open === 0, "it was given up");
  });
});

Deno.test("a process that stood still for long shuts nobody out who waits for its answer", async () => {
  let stoodMs = 0;
  const late = Promise.withResolvers<void>();
  const clock = {
    ...systemClock,
    monotonic: () => systemClock.monotonic() + stoodMs,
    async sleep(ms: number, signal?: AbortSignal) {
      await systemClock.sleep(ms, signal);
      if (stoodMs > 0) late.resolve();
    },
  };
  await withGate({ clock }, async (port, gate) => {
    using connection = await Deno.connect({ port });
    await connection.write(get("/deaf"));
    await until(() => gate.open === 1);
    stoodMs = 3_600_000;
    await late.promise;
    await settle();
    assert.equal(gate.open, 1);
  });
});

Deno.test("no client takes all the connections", async () => {
  await withGate({ mostOfOne: 3 }, async (port, gate) => {
    const connections = await Promise.all(
      Array.from({ length: 10 }, () => Deno.connect({ port })),
    );
    await until(() => gate.open === 3);
    const over = connections.slice(3);
    assert.deepEqual(await Promise.all(over.map(ended)), over.map(() => true));
    for (const connection of connections) connection.close();
    await until(() => gate.open === 0);
    assert.equal(await (await fetch(`http://127.0.0.1:${port}/`)).text(), "hello");
  });
});

Deno.test("a viewer on an open address has a gate, and works as any other", async () => {
  const token = "correct-horse-battery";
  await withViewer(
    { hostname: "0.0.0.0", tokens: [{ token, opens: "all" }] },
    async (viewer, lanes) => {
      const headers = { authorization: `Bearer ${token}` };
      const pushed = lanes.push("greyscale-0");
      const snapshot = await fetch(`${viewer.url}cam/1.jpg`, { headers });
      assert.deepEqual(await snapshot.bytes(), pushed.bytes);
      const stream = await fetch(`${viewer.url}cam/1`, { headers });
      assert.equal(stream.status, 200);
      await stream.body!.cancel();
      const page = await TestPage.open(viewer, headers);
      page.watch("greyscale-0");
      for (let i = 0; i < 20; i++) {
        const { offset } = lanes.push("greyscale-0");
        await until(() => page.newest(0)?.offset === offset);
      }
      await page.close();
      // Its cookie goes by the port that people see.
      const signed = await fetch(`${viewer.url}?token=${token}`, {
        headers: { accept: "text/html" },
        redirect: "manual",
      });
      await signed.body?.cancel();
      assert.match(signed.headers.get("set-cookie")!, new RegExp(`^framelane-${viewer.port}=`));
    },
  );
});
