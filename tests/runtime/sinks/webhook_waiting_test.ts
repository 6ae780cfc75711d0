/** What waits while a receiver does not answer, and how much of it. */
import assert from "node:assert/strict";
import { FakeClock } from "../../../runtime/testing.ts";
import { PATIENCE_MS, until } from "../../support/until.ts";
import { finding, frame } from "./outputs.ts";
import { ok, open, post, withReceiver } from "./webhook_kit.ts";

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

Deno.test("webhook: what was delivered takes no space, and what waits is there still", async () => {
  const [posted, back] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const answer = (index: number) => (index < 4 ? posted : back).promise.then(ok);
  await withReceiver(answer, async (url, received, directory) => {
    const ended = new AbortController();
    const options = { url, directory, timeoutMs: PATIENCE_MS, only: "all" } as const;
    const task = await open(options, { signal: ended.signal });
    const large = { data: { text: "x".repeat(300_000) } };
    try {
      for (let batchId = 0; batchId < 6; batchId++) {
        await post(task, batchId, [{ ...frame(0, batchId), result: large }]);
      }
      posted.resolve();
      await until("the fifth is tried", () => received.length === 5);
      let bytes = 0;
      for await (const { path } of walk(directory)) bytes += (await Deno.stat(path)).size;
      assert.ok(bytes < 700_000, `${bytes} bytes`);
    } finally {
      ended.abort();
      await task.close!();
      posted.resolve();
      back.resolve();
    }
    // Of another group, whose checkpoint does not know these batches.
    const next = await open(options, { committedBatch: -1, committedEnd: 6 });
    await next.close!();
    const ids = new Set(received.map(({ headers }) => headers["x-framelane-delivery"]));
    assert.equal(ids.size, 6);
  });
});

async function* walk(folder: string): AsyncGenerator<{ path: string }> {
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    const path = `${folder}/${name}`;
    if (isDirectory) yield* walk(path);
    else yield { path };
  }
}
