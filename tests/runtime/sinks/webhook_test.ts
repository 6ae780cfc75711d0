import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { type Clock, systemClock } from "../../../runtime/base/clock.ts";
import type { Output } from "../../../runtime/definition/frame.ts";
import { query } from "../../../runtime/definition/query.ts";
import { openSink } from "../../../runtime/sinks/open.ts";
import type { SinkContext, SinkTask } from "../../../runtime/definition/sink.ts";
import { webhook, type WebhookOptions } from "../../../runtime/sinks/webhook.ts";
import { FakeClock } from "../../../runtime/testing.ts";
import { sinkContext } from "../../contracts/sink_contract_kit.ts";
import { PATIENCE_MS, until } from "../../support/until.ts";
import { finding, frame } from "./outputs.ts";
import { freePort } from "../../../tools/kafka/probe.ts";

interface Received {
  readonly headers: Record<string, string>;
  readonly body: string;
}

/** A receiver of webhooks with scripted answers. */
async function withReceiver(
  answer: (index: number, received: Received) => Response | Promise<Response>,
  work: (url: string, received: Received[], directory: string) => Promise<void>,
): Promise<void> {
  const received: Received[] = [];
  const directory = await Deno.makeTempDir();
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    async (request) => {
      const one = { headers: Object.fromEntries(request.headers), body: await request.text() };
      received.push(one);
      return await answer(received.length - 1, one);
    },
  );
  try {
    await work(`http://127.0.0.1:${server.addr.port}/hook`, received, directory);
  } finally {
    await server.shutdown();
    await Deno.remove(directory, { recursive: true });
  }
}

const ok = () => new Response(null, { status: 204 });
/** The delays between tries, of 500 ms to 2 s, take no time; the wait of `close` is as long as it must be. */
const quick: Clock = {
  ...systemClock,
  sleep: (ms, signal) => systemClock.sleep(ms <= 2000 ? 0 : PATIENCE_MS, signal),
};

async function post(task: SinkTask, batchId: number, outputs: readonly Output[]): Promise<void> {
  const batch = { batchId, start: batchId * 10, end: batchId * 10 + 10 };
  await task.write!(outputs, batch);
  await task.flush!(batch);
  await task.committed!(batch);
}

async function open(options: WebhookOptions, context: Partial<SinkContext> = {}) {
  return await webhook(options).open(sinkContext({ clock: quick, ...context }));
}

function alert(offset: number) {
  const state = { id: "a1", state: "start", label: "fall", peak: 0.9 } as const;
  return { ...frame(0, offset), result: { alert: state } };
}

Deno.test("webhook: findings and alerts are posted in order, signed", async () => {
  await withReceiver(ok, async (url, received, directory) => {
    const task = await open({ url: url.replace("//", "//:s3cret%21@"), directory });
    await post(task, 0, [finding(0, 1), frame(0, 5), alert(6)]);
    await task.close!();
    assert.equal(received.length, 2);
    const [first, second] = received as [Received, Received];
    assert.equal(JSON.parse(first.body).window.firstOffset, 1);
    assert.equal(JSON.parse(second.body).alert.id, "a1");
    const { headers, body } = first;
    const signature = createHmac("sha256", "s3cret!")
      .update(`${headers["x-framelane-timestamp"]}.${body}`).digest("hex");
    assert.equal(headers["x-framelane-signature"], `sha256=${signature}`);
    assert.equal(headers["x-framelane-delivery"], "test-VideoStreaming-0-1-4");
    assert.equal(headers["content-type"], "application/json");
    assert.equal(headers["authorization"], undefined);
  });
});

Deno.test("webhook: alerts alone, or all", async () => {
  await withReceiver(ok, async (url, received, directory) => {
    for (const [only, count] of [["alerts", 1], ["all", 3]] as const) {
      received.length = 0;
      const task = await open({ url, only, directory: `${directory}/${only}` });
      await post(task, 0, [finding(0, 1), frame(0, 5), alert(6)]);
      await task.close!();
      assert.equal(received.length, count);
    }
  });
});

Deno.test("webhook: a query may post alerts, and all, to one address, but nothing twice", async () => {
  await withReceiver(ok, async (url, received, directory) => {
    const alerts = webhook({ url, directory, only: "alerts" });
    const all = webhook({ url, directory, only: "all" });
    const stream = query("test").readStream();
    stream.writeStream(alerts, all);
    assert.throws(
      () => stream.writeStream(all, webhook({ url, directory, only: "all" })),
      /same place/,
    );
    const context = sinkContext({ clock: quick });
    const tasks = [await alerts.open(context), await all.open(context)];
    for (const task of tasks) await post(task, 0, [alert(5), frame(0, 6)]);
    for (const task of tasks) await task.close!();
    assert.equal(received.length, 3);
  });
});

Deno.test("webhook: what fails for a while is tried again, in order", async () => {
  const answers = [500, 429, 200, 503, 200];
  await withReceiver(
    (index) => new Response(null, { status: answers[index]! }),
    async (url, received, directory) => {
      const task = await open({ url, directory });
      await post(task, 0, [finding(0, 1), finding(0, 2)]);
      await task.close!();
      assert.deepEqual(
        received.map(({ body }) => JSON.parse(body).window.firstOffset),
        [1, 1, 1, 2, 2],
      );
    },
  );
});

Deno.test("webhook: it waits as long as the receiver asks, in seconds or until a date, 30 s at most", async () => {
  const now = Date.now();
  const after = ["7", "900", new Date(now + 20_000).toUTCString(), "soon", "-5"];
  const delays: number[] = [];
  const clock = {
    ...quick,
    now: () => now,
    sleep: (ms: number) => Promise.resolve(void delays.push(ms)),
  };
  await withReceiver(
    (index) =>
      index === after.length
        ? ok()
        : new Response(null, { status: 503, headers: { "retry-after": after[index]! } }),
    async (url, received, directory) => {
      const task = await open({ url, directory }, { clock });
      await post(task, 0, [finding(0, 1)]);
      await until("the last try", () => received.length > after.length);
      await task.close!();
      assert.deepEqual(delays.slice(0, 2), [7000, 30_000]);
      assert.ok(delays[2]! > 18_000 && delays[2]! <= 20_000, `${delays[2]} ms`);
      assert.ok(delays.slice(3).every((ms) => ms > 0 && ms < 18_000), delays.join());
    },
  );
});

Deno.test("webhook: what is refused, or fails too often, goes to the dead letters without secrets", async () => {
  await withReceiver(
    (index) => new Response(null, { status: index === 0 ? 400 : 500 }),
    async (url, _, directory) => {
      const said: string[] = [];
      const deadLetters = `${directory}/dead.jsonl`;
      const task = await open(
        { url: `${url}/hidden?key=hidden`, directory, deadLetters, retries: 2, secret: "hidden" },
        { report: (line) => said.push(line) },
      );
      await post(task, 0, [finding(0, 1), finding(0, 2)]);
      await task.close!();
      const text = await Deno.readTextFile(deadLetters);
      const letters = text.trim().split("\n").map((line) => JSON.parse(line));
      assert.deepEqual(letters.map(({ tries, reason }) => [tries, reason]), [
        [1, "status 400"],
        [3, "status 500"],
      ]);
      assert.equal(letters[1].body.window.firstOffset, 2);
      assert.equal(said.length, 1);
      assert.doesNotMatch(text + said.join(), /hidden/);
    },
  );
});

Deno.test("webhook: where dead letters cannot be written, what waits says why", async () => {
  await withReceiver(() => new Response(null, { status: 400 }), async (url, _, directory) => {
    const reports: string[] = [];
    const options = { url, directory, only: "all", deadLetters: directory } as const;
    const task = await open(options, { report: (message) => void reports.push(message) });
    await post(task, 0, [frame(0, 1)]);
    await task.close!();
    assert.match(
      reports.join(),
      /^1 deliveries .* wait for the next start: Cannot write dead letters/,
    );
  });
});

Deno.test("webhook: redirections are not followed", async () => {
  await withReceiver(
    (_, { headers }) =>
      new Response(null, { status: 307, headers: { location: `http://${headers["host"]}/other` } }),
    async (url, received, directory) => {
      const task = await open({ url, directory });
      await post(task, 0, [finding(0, 1)]);
      await task.close!();
      assert.equal(received.length, 1);
      assert.match(await Deno.readTextFile(`${directory}/dead-letters.jsonl`), /status 307/);
    },
  );
});

Deno.test("webhook: nothing goes out before the commit; what waits survives a crash", async () => {
  await withReceiver(ok, async (url, received, directory) => {
    const first = await open({ url, directory });
    const batch = { batchId: 0, start: 0, end: 10 };
    await first.write!([finding(0, 1)], batch);
    await first.flush!(batch);
    // The batch is committed, and its owner dies.
    await first.close!();
    assert.equal(received.length, 0);
    const second = await open({ url, directory }, { committedBatch: 0, committedEnd: 10 });
    await second.close!();
    assert.deepEqual(received.map(({ body }) => JSON.parse(body).window.firstOffset), [1]);
    const third = await open({ url, directory }, { committedBatch: 0, committedEnd: 10 });
    await third.close!();
    assert.equal(received.length, 1);
  });
});

Deno.test("webhook: what was never committed is not sent", async () => {
  await withReceiver(ok, async (url, received, directory) => {
    const first = await open({ url, directory });
    const batch = { batchId: 0, start: 0, end: 10 };
    await first.write!([finding(0, 1)], batch);
    await first.flush!(batch);
    await first.close!();
    const second = await open({ url, directory });
    await post(second, 0, [finding(0, 2)]);
    await second.close!();
    assert.deepEqual(received.map(({ body }) => JSON.parse(body).window.firstOffset), [2]);
  });
});

Deno.test("webhook: an address that does not answer blocks no partition beyond its policy", async () => {
  const released = Promise.withResolvers<void>();
  await withReceiver(async () => {
    await released.promise;
    return ok();
  }, async (url, received, directory) => {
    const said: string[] = [];
    const clock = new FakeClock();
    const options = { url, directory, timeoutMs: PATIENCE_MS };
    const task = await open(options, { clock, report: (line) => said.push(line) });
    const offsets = Array.from({ length: 1000 }, (_, offset) => offset);
    await post(task, 0, offsets.map((offset) => finding(0, offset)));
    const blocked = post(task, 1, [finding(0, 1000)]);
    await until("the task waits", () => clock.sleeping === 1);
    await clock.advance(5000);
    await blocked;
    const letter = JSON.parse(await Deno.readTextFile(`${directory}/dead-letters.jsonl`));
    assert.equal(letter.reason, "1000 deliveries are waiting");
    assert.equal(letter.body.window.firstOffset, 1000);
    const closed = task.close!();
    await until("the task waits", () => clock.sleeping === 1);
    await clock.advance(3000);
    await closed;
    assert.match(
      said.join("\n"),
      /1000 deliveries to http:\/\/127\.0\.0\.1:\d+\/… wait for the next start/,
    );
    released.resolve();
    const next = await open(options, { clock, committedBatch: 1, committedEnd: 20 });
    await next.close!();
    const bodies = received.map(({ body }) => JSON.parse(body).window.firstOffset);
    assert.deepEqual([...new Set(bodies)], offsets);
  });
});

Deno.test("webhook: a run that is ended while it waits for room makes no dead letters: its batch comes again", async () => {
  const released = Promise.withResolvers<void>();
  await withReceiver(async () => {
    await released.promise;
    return ok();
  }, async (url, _, directory) => {
    const clock = new FakeClock();
    const ended = new AbortController();
    const options = { url, directory, timeoutMs: PATIENCE_MS };
    const task = await open(options, { clock, signal: ended.signal });
    await post(task, 0, Array.from({ length: 1000 }, (_, offset) => finding(0, offset)));
    const blocked = post(task, 1, [finding(0, 1000)]);
    await until("the task waits", () => clock.sleeping === 1);
    ended.abort(new Error("ended"));
    const [outcome] = await Promise.allSettled([blocked]);
    await task.close!();
    released.resolve();
    assert.equal(outcome.status, "rejected");
    await assert.rejects(Deno.stat(`${directory}/dead-letters.jsonl`), Deno.errors.NotFound);
  });
});

Deno.test("webhook: large results that wait are bounded, too", async () => {
  const released = Promise.withResolvers<void>();
  await withReceiver(async () => {
    await released.promise;
    return ok();
  }, async (url, received, directory) => {
    const clock = new FakeClock();
    const task = await open({ url, directory, timeoutMs: PATIENCE_MS, only: "all" }, { clock });
    const large = { data: { text: "x".repeat(33 * 1024 * 1024) } };
    await post(task, 0, [{ ...frame(0, 1), result: large }]);
    const blocked = post(task, 1, [{ ...frame(0, 11), result: large }, frame(0, 12)]);
    await until("the task waits", () => clock.sleeping === 1);
    await clock.advance(5000);
    await blocked;
    released.resolve();
    await task.close!();
    const ids = received.map(({ headers }) => headers["x-framelane-delivery"]);
    assert.deepEqual(ids, ["test-VideoStreaming-0-1"]);
    const letters = (await Deno.readTextFile(`${directory}/dead-letters.jsonl`)).split("\n");
    assert.equal(letters.length, 3);
  });
});

Deno.test("webhook: an address without a server is a failure that is tried again", async () => {
  const directory = await Deno.makeTempDir();
  try {
    const task = await open({ url: `http://127.0.0.1:${freePort()}/`, directory, retries: 1 });
    await post(task, 0, [finding(0, 1)]);
    await task.close!();
    const letter = JSON.parse(await Deno.readTextFile(`${directory}/dead-letters.jsonl`));
    assert.equal(letter.tries, 2);
    assert.match(letter.reason, /connection/);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});

Deno.test("webhook: options are checked, and secrets stay secret", () => {
  const sink = openSink("webhook:https://:hidden@alarms.example/hidden?key=hidden#only=alerts");
  assert.equal(sink.uri, "webhook:https://alarms.example/…");
  const faults: [string, RegExp][] = [
    ["webhook:", /expected webhook:URL/],
    ["webhook:hidden", /expected a URL such as https:\/\/host\/path/],
    ["webhook:ftp://hidden/", /scheme ftp: expected http or https/],
    [
      "webhook:https://a/hidden#only=some",
      /Cannot post to a webhook: only: expected findings, alerts or all/,
    ],
    ["webhook:https://a/hidden#retries=-1", /retries: expected a whole number from 0 up, given -1/],
    ["webhook:https://a/hidden#timeout=600h", /timeoutMs: expected .*, at most 2147483647/],
    ["webhook:https://a/hidden#timeout=1", /Cannot read duration "1"/],
    ["webhook:https://a/hidden#hidden=1x", /unknown option hidden, expected only, retries/],
  ];
  for (const [uri, message] of faults) {
    assert.throws(() => openSink(uri), (error: Error) => {
      assert.match(error.message, message);
      if (!uri.includes("hidden=1x")) assert.doesNotMatch(error.message, /hidden/, error.message);
      return true;
    });
  }
});
