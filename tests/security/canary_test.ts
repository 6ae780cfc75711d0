/**
 * A canary in every place where a secret can come in: none may come out. Looked at is all that a command
 * says, every page, API and metric, and every byte that it writes, but for the registry of cameras,
 * which has to keep passwords and is its owner's alone.
 */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { framelane, FramelaneProcess } from "../support/framelane.ts";
import { jpegOf, records } from "../support/frames.ts";
import { withLog } from "../support/log.ts";
import { until } from "../support/until.ts";
import { canary, clean, cleanFiles, cleanPages, encoded, forms, said } from "./canary.ts";

/** Runs a command that fails, and looks at all that it says. */
async function fails(
  args: readonly string[],
  expected: RegExp,
  env: Record<string, string> = {},
): Promise<void> {
  const process = new FramelaneProcess(args, { env });
  try {
    await process.until(String(expected), (p) => expected.test(said(p)));
  } finally {
    await process.kill();
  }
  clean(args.join(" "), said(process));
}

Deno.test("canary: it is seen where it is", () => {
  for (const form of forms("rtsp")) {
    assert.throws(() => clean("text", `a ${form} b`), /holds the secret of rtsp/, form);
  }
});

Deno.test("canary: wrong use, in every option that takes a secret", async () => {
  const kafka = `kafka://u:${encoded("kafka")}@127.0.0.1`;
  const wrong: [args: string[], env?: Record<string, string>][] = [
    [["camera", "1", "--source", `gopher://u:${encoded("rtsp")}@h/`]],
    [[
      "camera",
      "1",
      "--source",
      `http://u:${encoded("mjpeg")}@h:99999/?token=${encoded("query")}`,
    ]],
    [["cameras", "add", "1", `gopher://u:${encoded("rtsp")}@h/`]],
    [["queries", "--log", `${kafka}:notaport`]],
    [["queries", "--log", `${kafka}:1?sasl=none`]],
    [["viewer", "--log", `${kafka}:1?nonsense=${encoded("key")}`, "--bogus"]],
    [["checkpoints", "inspect", "--log", `${kafka}:1,,`]],
    [["queries", "--sink", `webhook:ftp://u:${encoded("webhook")}@h/${encoded("path")}`]],
    [["queries", "--sink", `webhook:http://h/?key=${encoded("key")}&retries=x`, "--bogus"]],
    [["viewer", "--token", canary("viewer"), "--token", `${canary("metrics")}=metrics`, "--bogus"]],
    [["viewer", `--token=${canary("viewer")}`, "--port", canary("viewer")]],
    [["viewer", "--token", `${canary("camera")}=0`, "--bogus"]],
    [["viewer", "--token", `${canary("camera")}=x`, "--topic", `,${canary("camera")}`]],
    [["queries", "--bogus"], { FRAMELANE_LOG: `${kafka}:x`, FRAMELANE_TOKEN: canary("viewer") }],
    [["viewer", "--port", canary("environment")], { FRAMELANE_TOKEN: canary("environment") }],
    [["camera", "1", "--bogus"], { FRAMELANE_SOURCE: `ftp://u:${encoded("rtsp")}@h/` }],
  ];
  for (const [args, env = {}] of wrong) {
    const { code, process } = await framelane(args, { env });
    assert.equal(code, 2, `${args.join(" ")}: ${process.output()}`);
    clean(args.join(" "), said(process));
  }
});

Deno.test("canary: hosts that cannot be reached", async () => {
  await withLog(async (url, _log, folder) => {
    const kafka = `kafka://u:${encoded("kafka")}@127.0.0.1:1`;
    const state = ["--state", `${folder}/registry`];
    const rtsp = `rtsp://u.v:${encoded("rtsp")}@127.0.0.1:1/live?token=${encoded("query")}`;
    const http = `http://u.v:${encoded("mjpeg")}@127.0.0.1:1/live?token=${encoded("query")}`;
    const away = /refused|Cannot (open|reach|connect)/;
    await fails(["camera", "1", "--log", url, "--source", rtsp, ...state], away);
    await fails(["camera", "1", "--log", url, "--source", http, "--json", ...state], away);
    await fails(["camera", "1", "--log", url, ...state], away, { FRAMELANE_SOURCE: http });
    await fails(["camera", "1", "--log", kafka, ...state], away);
    await fails(["queries", "--log", kafka, "--port", "off"], away);
    await fails(["viewer", "--log", kafka, "--port", "0"], away);
    await fails(["checkpoints", "inspect", "--log", kafka], away);
    await fails(["checkpoints", "inspect"], away, { FRAMELANE_LOG: kafka });
    for (const [number, source] of [rtsp, http].entries()) {
      const added = await framelane(["cameras", "add", String(number + 1), source, ...state]);
      assert.equal(added.code, 0, added.process.output());
      clean("cameras add", said(added.process));
    }
    for (const json of [[], ["--json"]]) {
      const listed = await framelane(["cameras", "list", ...state, ...json]);
      assert.match(said(listed.process), /u\.v:\*\*\*@/);
      clean("cameras list", said(listed.process));
      await fails(["cameras", "run", "--log", url, ...state, ...json], away);
    }
    assert.ok(await cleanFiles(folder) > 0);
  });
});

Deno.test("canary: a camera, a query and a viewer at work", async () => {
  await withLog(async (url, log, folder) => {
    const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, (request) => {
      if (request.method === "POST") return new Response(request.url, { status: 500 });
      const login = atob((request.headers.get("authorization") ?? " ").split(" ")[1]!);
      if (login !== `u.v:${canary("mjpeg")}`) {
        return new Response(null, { status: 401, headers: { "www-authenticate": "Basic" } });
      }
      const image = jpegOf(3);
      const head = `--b\r\nContent-Type: image/jpeg\r\nContent-Length: ${image.length}\r\n\r\n`;
      const part = Buffer.concat([Buffer.from(head), image, Buffer.from("\r\n")]);
      return new Response(Buffer.concat(Array(20).fill(part)), {
        headers: { "content-type": "multipart/x-mixed-replace; boundary=b" },
      });
    });
    const host = `127.0.0.1:${server.addr.port}`;
    const camera = new FramelaneProcess([
      ...["camera", "1", "--log", url, "--json", "--metrics-port", "0", "--state"],
      ...[`${folder}/registry`, "--source"],
      `http://u.v:${encoded("mjpeg")}@${host}/live?token=${encoded("query")}`,
    ]);
    try {
      await camera.until("metrics", (p) => /Metrics at/.test(said(p)));
      await until("frames", async () => {
        const partitions = await log.partitionCount("VideoStreaming").catch(() => 0);
        return partitions > 0 && (await log.offsets("VideoStreaming", 0)).latest >= 20;
      });
      const metrics = /Metrics at (\S+)/.exec(said(camera))![1]!;
      clean("the camera's metrics", await (await fetch(metrics)).text());
    } finally {
      await camera.stop();
    }
    clean("camera", said(camera));
    const producer = await log.producer();
    const bad = records(1, 3).map((record) => ({ ...record, value: new Uint8Array([1, 2]) }));
    await producer.append("VideoStreaming", 0, bad);
    await producer.close();
    const hook = `http://u.v:${encoded("webhook")}@${host}/${encoded("path")}?key=${
      encoded("key")
    }`;
    const query = new FramelaneProcess([
      ...["queries", "motion", "--log", url, "--starting-offsets", "earliest", "--json"],
      ...["--port", "0", "--sink", `webhook:${hook}`],
      ...["--sink", `events:${folder}/events.jsonl`, "--sink", `images:${folder}/images`],
      ...["--sink", "topic:OUT", "--sink", "console"],
    ], {
      env: {
        FRAMELANE_TOKEN: `${canary("viewer")} ${canary("metrics")}=metrics ${canary("camera")}=1`,
        FRAMELANE_WEBHOOK_SECRET: canary("signing"),
      },
      // What waits for delivery lies here.
      cwd: folder,
    });
    try {
      await query.until("dead letters", (p) => p.progress(0).at(-1)?.totals.deadLettered === 3);
      const viewer = await cleanPages(query, "motion-0");
      const inUrl = await fetch(`${viewer}?token=${encoded("camera")}`, { redirect: "manual" });
      await inUrl.body?.cancel();
    } finally {
      await query.stop();
    }
    clean("queries", said(query));
    const inspected = await framelane(["checkpoints", "inspect", "--log", url, "--json"]);
    clean("checkpoints", said(inspected.process));
    await server.shutdown();
    assert.ok(await cleanFiles(folder) >= 6);
  });
});
