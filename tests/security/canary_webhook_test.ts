/** Canaries in the address of a webhook whose delivery fails, in every way in which it can. */
import assert from "node:assert/strict";
import { framelane, FramelaneProcess } from "../support/framelane.ts";
import { records } from "../support/frames.ts";
import { withLog } from "../support/log.ts";
import { until } from "../support/until.ts";
import { canary, clean, cleanFiles, cleanPages, encoded, said } from "./canary.ts";
import { freePort } from "../../tools/kafka/probe.ts";

/** Servers that fail a webhook, each in its own way, and say all that they were told. */
function failingServers() {
  const answers: Readonly<Record<string, (told: string, url: string) => Response>> = {
    "500": (told) => new Response(told, { status: 500, statusText: "Not now" }),
    "503": (told) => new Response(told, { status: 503, headers: { "retry-after": "0" } }),
    "403": (told) => new Response(told, { status: 403, headers: { "x-told": told } }),
    "302": (told, url) => new Response(told, { status: 302, headers: { location: url } }),
  };
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, (request) => {
    const told = `${request.url} ${JSON.stringify([...request.headers])}`;
    return answers[new URL(request.url).pathname.split("/")[1]!]!(told, request.url);
  });
  // Takes connections and hangs up.
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const hangsUp = (async () => {
    for await (const connection of listener) connection.close();
  })();
  const free = freePort();
  const [address, deaf] = [server.addr.port, (listener.addr as Deno.NetAddr).port];
  return {
    hosts: [
      ...Object.keys(answers).map((status) => `http://HOOK@127.0.0.1:${address}/${status}`),
      `https://HOOK@127.0.0.1:${address}/tls`,
      `http://HOOK@127.0.0.1:${deaf}/away`,
      `http://HOOK@127.0.0.1:${free}/refused`,
      "http://HOOK@nobody.invalid/unknown",
    ],
    async close() {
      listener.close();
      await hangsUp;
      await server.shutdown();
    },
  };
}

Deno.test("canary: webhooks whose server refuses, fails, hangs up or is away", async () => {
  await withLog(async (url, log, folder) => {
    const servers = failingServers();
    const deadLetters = `${folder}/dead-letters.jsonl`;
    const secrets = `u.v:${encoded("webhook")}`;
    const command = (retries: number) => [
      ...["queries", "greyscale", "--log", url, "--starting-offsets", "earliest", "--json"],
      ...["--port", "0", "--executors", "1"],
      ...servers.hosts.flatMap((host) => [
        "--sink",
        `webhook:${host.replace("HOOK", secrets)}/${encoded("path")}?key=${encoded("key")}` +
        `#only=all&retries=${retries}&dead-letters=${deadLetters}`,
      ]),
    ];
    const options = {
      env: {
        FRAMELANE_TOKEN: canary("viewer"),
        FRAMELANE_WEBHOOK_SECRET: canary("signing"),
      },
      // What waits for delivery lies here.
      cwd: folder,
    };
    await log.createTopic("VideoStreaming", 1);
    const producer = await log.producer();
    const FRAMES = 3;
    await producer.append("VideoStreaming", 0, records(1, FRAMES));
    await producer.close();
    try {
      // Stopped while everything still waits for another try.
      const first = new FramelaneProcess(command(1000), options);
      try {
        await first.until("frames", (p) => p.progress(0).at(-1)?.totals.outputs === FRAMES);
        await cleanPages(first, "greyscale-0");
      } finally {
        await first.stop();
      }
      clean("a query that stops while it delivers", said(first));
      assert.match(said(first), /wait for the next start/);
      assert.ok(await cleanFiles(folder) > servers.hosts.length);

      const second = new FramelaneProcess(command(0), options);
      try {
        const given = async () =>
          (await Deno.readTextFile(deadLetters).catch(() => "")).split("\n").length - 1;
        const all = FRAMES * servers.hosts.length;
        await until("dead letters", async () => await given() === all);
        await cleanPages(second, "greyscale-0");
      } finally {
        await second.stop();
      }
      clean("a query that gives up", said(second));
      const told = said(first) + said(second);
      const reasons = ["status 500", "status 503", "status 403", "status 302", "dns error"];
      for (const reason of [...reasons, "connection refused", "the connection failed"]) {
        assert.match(told, new RegExp(`Cannot deliver to https?://[^ ]+…: ${reason};`));
        assert.ok((await Deno.readTextFile(deadLetters)).includes(`"reason":"${reason}"`), reason);
      }
      const inspected = await framelane(["checkpoints", "inspect", "--log", url, "--json"]);
      clean("checkpoints", said(inspected.process));
      assert.ok(await cleanFiles(folder) > 0);
    } finally {
      await servers.close();
    }
  });
});
