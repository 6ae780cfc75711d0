import assert from "node:assert/strict";
import { join } from "node:path";
import { makeSource } from "../../cameras/open.ts";
import { freePort } from "../../tools/kafka/probe.ts";
import { SourceError } from "../../cameras/source.ts";
import { RtspSource } from "../../cameras/sources/rtsp.ts";
import { inspectAccessUnit } from "../../runtime/video/access_unit.ts";
import { inspectImage } from "../../runtime/image/inspect.ts";
import { MemoryLog } from "../support/memory_log.ts";
import { RtspServer } from "../support/rtsp.ts";
import { makeVideo } from "../support/videos.ts";
import { burntIn, context, hasIpv6, isPast, listener, runToMemory, take, TOPIC } from "./kit.ts";
import { withFolder } from "../support/folder.ts";
import { until } from "../support/until.ts";

const CLIP = join(import.meta.dirname!, "..", "..", "clips", "bigbuckbunny.mp4");
const PASSWORD = "canary-9f3";

Deno.test("RTSP: a real clip comes as it was filmed, and is dated as it was spaced", async () => {
  const server = await RtspServer.start(CLIP);
  try {
    const begin = Date.now();
    const { heard, ...listening } = listener();
    const images = await take(makeSource(`rtsp://127.0.0.1:${server.port}/clip`), 50, listening);
    assert.deepEqual(heard.slice(0, 2), ["opening", "activity"]);
    assert.ok(images.every(({ value }) => inspectImage(value).width === 640));
    const stamps = images.map(({ timestamp }) => timestamp);
    assert.ok(stamps[0]! >= begin - 2_000 && isPast(stamps.at(-1)!));
    // Also of what the server kept and sends at once when it begins.
    const steps = stamps.slice(1).map((stamp, i) => stamp - stamps[i]!);
    assert.ok(steps.every((step) => step > 20 && step < 60), String(steps));
  } finally {
    await server.kill();
  }
});

Deno.test("RTSP: every frame of a pattern, in order; --fps thins them out", async () => {
  await withPattern("h264", async (url) => {
    const numbers = await Promise.all(
      (await take(makeSource(url, { codec: "jpeg" }), 40)).map(({ value }) => burntIn(value)),
    );
    assert.deepEqual(numbers, numbers.map((_, i) => numbers[0]! + i));
    const few = await take(makeSource(url, { fps: 5 }), 4);
    const thin = await Promise.all(few.map(({ value }) => burntIn(value)));
    assert.ok(thin.slice(1).every((n, i) => n! - thin[i]! >= 4), String(thin));
  });
});

Deno.test("RTSP: H.264 stays as it came, from a keyframe on, unless frames are out of order", async () => {
  await withPattern("h264", async (url) => {
    const units = await take(makeSource(url), 25);
    assert.ok(units.every(({ contentType }) => contentType === "video/h264"));
    assert.ok(units.every(({ width, height }) => width === 160 && height === 120));
    const keyframes = units.map(({ value }) => inspectAccessUnit("h264", value).keyframe);
    assert.ok(keyframes[0]);
    assert.deepEqual(units.map(({ headers }) => headers?.["keyframe"] === "1"), keyframes);
    const thinner = await take(makeSource(url, { fps: 5 }), 2);
    assert.equal(thinner[0]!.contentType, "image/jpeg");
  });
  const server = await RtspServer.start(CLIP);
  try {
    const url = `rtsp://127.0.0.1:${server.port}/clip`;
    const { reports, ...opening } = context();
    for await (const { contentType } of (await makeSource(url)).open(opening)) {
      assert.equal(contentType, "image/jpeg");
      break;
    }
    assert.match(
      reports.join(),
      /^Converting stream .* to JPEG: its frames may not be in presentation order/,
    );
    await assert.rejects(
      take(makeSource(url, { codec: "copy" }), 100),
      /presentation order \(B-frames/,
    );
  } finally {
    await server.kill();
  }
});

Deno.test("RTSP: H.265 stays as it came, from a keyframe on", async () => {
  await withPattern("h265", async (url) => {
    const units = await take(makeSource(url), 25);
    assert.ok(units.every(({ contentType }) => contentType === "video/h265"));
    const keyframes = units.map(({ value }) => inspectAccessUnit("h265", value).keyframe);
    assert.ok(keyframes[0] && keyframes.filter(Boolean).length >= 2, String(keyframes));
    assert.match(inspectAccessUnit("h265", units[0]!.value).codec!, /^hvc1\.1\./);
  });
});

Deno.test("RTSP: a server killed and started again in mid-stream costs a pause, no more", async () => {
  const port = freePort();
  let server = await RtspServer.start(CLIP, { port });
  const log = new MemoryLog();
  const stop = new AbortController();
  try {
    const running = runToMemory(`rtsp://anna.b:${PASSWORD}@127.0.0.1:${port}/clip`, { log, stop });
    await log.until(TOPIC, 0, 30);
    await server.kill();
    server = await RtspServer.start(CLIP, { port });
    const held = log.records(TOPIC, 0).length;
    await log.until(TOPIC, 0, held + 30);
    stop.abort();
    const { summary, records, reports } = await running;
    assert.ok(summary.reopened >= 1);
    assert.deepEqual(records.map(({ headers }) => headers.seq), records.map((_, i) => String(i)));
    assert.equal(new Set(records.map(({ headers }) => headers.session)).size, 1);
    const stamps = records.map(({ timestamp }) => timestamp);
    assert.ok(stamps.every((stamp, i) => i === 0 || stamp >= stamps[i - 1]!));
    assert.ok(reports.length > 0 && !reports.join().includes(PASSWORD));
  } finally {
    stop.abort();
    await server.kill();
  }
});

Deno.test("RTSP: passwords are used, wrong ones told at once, none shown", async () => {
  const server = await RtspServer.start(CLIP, { user: "anna.b", password: PASSWORD });
  try {
    const url = (userinfo: string) => `rtsp://${userinfo}127.0.0.1:${server.port}/clip`;
    assert.equal((await take(makeSource(url(`anna.b:${PASSWORD}@`)), 3)).length, 3);
    for (const wrong of [`anna.b:${PASSWORD}x@`, `eve:${PASSWORD}@`, ""]) {
      const source = await makeSource(url(wrong));
      assert.ok(!source.description.includes(PASSWORD));
      await assert.rejects(
        take(source, 1),
        (error) =>
          error instanceof SourceError && error.code === "UNAUTHORIZED" && !error.retryable &&
          /the user name or the password is wrong|asks for a user name/.test(error.message) &&
          !error.message.includes(PASSWORD),
      );
    }
    await assert.rejects(
      take(makeSource(`rtsp://anna.b:${PASSWORD}@127.0.0.1:${server.port}/other`), 1),
      (error) =>
        error instanceof SourceError && /has no such stream/.test(error.message) &&
        error.retryable,
    );
  } finally {
    await server.kill();
  }
});

Deno.test("RTSP: video over UDP, with a login, of IPv4 and IPv6", async () => {
  for (const address of ["127.0.0.1", ...(hasIpv6() ? ["::1"] : [])]) {
    const server = await RtspServer.start(CLIP, { address, user: "anna.b", password: PASSWORD });
    const host = address.includes(":") ? `[${address}]` : address;
    const url = (word: string) => `rtsp+udp://anna.b:${word}@${host}:${server.port}/clip`;
    try {
      const images = await take(makeSource(url(PASSWORD)), 10);
      assert.ok(images.every(({ value }) => inspectImage(value).width === 640));
      await assert.rejects(
        take(makeSource(url("wrong")), 1),
        (error) => error instanceof SourceError && error.code === "UNAUTHORIZED",
      );
    } finally {
      await server.kill();
    }
  }
});

Deno.test("RTSP: the same over TLS", async () => {
  await withFolder(async (folder) => {
    const [key, certificate] = [join(folder, "key.pem"), join(folder, "certificate.pem")];
    const { success } = await new Deno.Command("openssl", {
      args: [
        ..."req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=camera".split(" "),
        ...["-keyout", key, "-out", certificate],
      ],
      stderr: "null",
    }).output();
    assert.ok(success);
    await Deno.writeFile(certificate, await Deno.readFile(key), { append: true });
    const server = await RtspServer.start(CLIP, {
      tls: certificate,
      user: "anna.b",
      password: PASSWORD,
    });
    try {
      const insecure = { tlsInsecure: true };
      const url = (scheme: string, word: string) =>
        `${scheme}://anna.b:${word}@127.0.0.1:${server.port}/clip`;
      assert.equal((await take(makeSource(url("rtsps", PASSWORD), insecure), 3)).length, 3);
      await assert.rejects(
        take(makeSource(url("rtsps", "wrong"), insecure), 1),
        (error) => error instanceof SourceError && error.code === "UNAUTHORIZED",
      );
      await assert.rejects(
        take(makeSource(url("rtsp", PASSWORD)), 1),
        (error) => error instanceof SourceError && !error.message.includes(PASSWORD),
      );
    } finally {
      await server.kill();
    }
  });
});

Deno.test("RTSP: no server, a mute server, one of another kind", async () => {
  const unreachable = (pattern: RegExp) => (error: unknown) =>
    error instanceof SourceError && error.code === "UNREACHABLE" && error.retryable &&
    pattern.test(error.message) && !error.message.includes(PASSWORD);
  await assert.rejects(
    take(makeSource(`rtsp://u:${PASSWORD}@127.0.0.1:1/clip`), 1),
    unreachable(/connection refused/),
  );
  await assert.rejects(
    take(makeSource(`rtsp://u:${PASSWORD}@nowhere.invalid/clip`), 1),
    unreachable(/no such host/),
  );
  const mute = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const accepted: Deno.Conn[] = [];
  const accepting = (async () => {
    for await (const connection of mute) accepted.push(connection);
  })();
  await assert.rejects(
    take(new RtspSource(`rtsp://127.0.0.1:${mute.addr.port}/clip`, { openTimeoutMs: 300 }), 1),
    unreachable(/Cannot open stream .*: no video came within 0\.3 s/),
  );
  // One that is stopped while it waits ends without an error.
  const { stop, ...rest } = context();
  const waiting = (async () => {
    for await (const _ of (await makeSource(`rtsp://127.0.0.1:${mute.addr.port}/clip`)).open(rest));
  })();
  await until("it is accepted", () => accepted.length === 2);
  stop.abort();
  await waiting;
  mute.close();
  for (const connection of accepted) connection.close();
  await accepting.catch(() => {});
  const web = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen() {} },
    () => new Response("no"),
  );
  await assert.rejects(
    take(makeSource(`rtsp://127.0.0.1:${web.addr.port}/clip`), 1),
    unreachable(/does not speak RTSP/),
  );
  await web.shutdown();
});

/** Runs the body with a server of a pattern in this codec; gives its address. */
async function withPattern(
  codec: "h264" | "h265",
  body: (url: string) => Promise<void>,
): Promise<void> {
  await withFolder(async (folder) => {
    const clip = join(folder, "pattern.mp4");
    await makeVideo(clip, { frames: 200, codec: codec === "h264" ? "libx264" : "libx265" });
    const server = await RtspServer.start(clip, { codec });
    try {
      await body(`rtsp://127.0.0.1:${server.port}/clip`);
    } finally {
      await server.kill();
    }
  });
}

Deno.test("RTSP: a connection that cannot be accepted does not end the relays", async () => {
  const server = await RtspServer.start(CLIP);
  const listen = Deno.listen;
  let refused = 0;
  Deno.listen = ((options: Deno.TcpListenOptions & { transport?: "tcp" }) => {
    const listener = listen(options);
    const accept = listener.accept.bind(listener);
    listener.accept = () =>
      refused++ === 0 ? Promise.reject(new Error("Too many open files")) : accept();
    return listener;
  }) as typeof Deno.listen;
  try {
    assert.equal((await take(makeSource(`rtsp://127.0.0.1:${server.port}/clip`), 1)).length, 1);
    assert.ok(refused > 1);
  } finally {
    Deno.listen = listen;
    await server.kill();
  }
});
