import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { query } from "../../../runtime/definition/query.ts";
import { openSink } from "../../../runtime/sinks/open.ts";
import { webhook } from "../../../runtime/sinks/webhook.ts";
import { sinkContext } from "../../contracts/sink_contract_kit.ts";
import { PATIENCE_MS, until } from "../../support/until.ts";
import { finding, frame } from "./outputs.ts";
import { ok, open, post, quick, type Received, withReceiver } from "./webhook_kit.ts";
import { freePort } from "../../../tools/kafka/probe.ts";

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
    for (const same of [directory, `${directory}/.`]) {
      const again = webhook({ url, directory: same, only: "all" });
      assert.throws(() => stream.writeStream(all, again), /same place/);
    }
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

Deno.test("webhook: what waits goes out though another group, with a checkpoint of its own, goes on", async () => {
  const back = Promise.withResolvers<void>();
  await withReceiver(() => back.promise.then(ok), async (url, received, directory) => {
    const ended = new AbortController();
    const options = { url, directory, timeoutMs: PATIENCE_MS };
    const own = { committedBatch: 7, committedEnd: 80, signal: ended.signal };
    const first = await open(options, own);
    await post(first, 8, [finding(0, 81), finding(0, 82)]);
    await post(first, 9, [finding(0, 91)]);
    const batch = { batchId: 10, start: 100, end: 110 };
    await first.write!([finding(0, 101)], batch);
    await first.flush!(batch);
    // Its last batch is not committed.
    ended.abort();
    await first.close!();
    back.resolve();
    for (const offset of [121, 131]) {
      const next = await open(options, { committedBatch: -1, committedEnd: 120 });
      await post(next, 0, [finding(0, offset)]);
      await next.close!();
    }
    const offsets = received.map(({ body }) => JSON.parse(body).window.firstOffset);
    assert.deepEqual([...new Set(offsets)], [81, 82, 91, 121, 131]);
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
