/** Brokers that take requests and do not answer. */
import assert from "node:assert/strict";
import { openLog } from "../../../../../runtime/log/open.ts";
import { firstOf } from "../../../../../runtime/log/kafka/net/race.ts";
import { JOIN_GROUP } from "../../../../../runtime/log/kafka/protocol/groups.ts";
import { INIT_PRODUCER_ID } from "../../../../../runtime/log/kafka/protocol/transactions.ts";
import { retry } from "../../../../support/retry.ts";
import { ScriptedBroker } from "../../../../support/scripted_broker.ts";
import { PATIENCE_MS, until } from "../../../../support/until.ts";

const record = { key: null, value: new Uint8Array(3), timestamp: 1, headers: {} };
/** After this time without a response another broker is asked, too. */
const NEXT_BROKER_MS = 400;

/** Asks no other broker because one is slow, as all are on a busy machine. */
async function patiently(work: () => Promise<void>): Promise<void> {
  const real = globalThis.setTimeout;
  globalThis.setTimeout =
    ((run: () => void, ms?: number) =>
      real(run, ms === NEXT_BROKER_MS ? PATIENCE_MS : ms)) as typeof setTimeout;
  try {
    await work();
  } finally {
    globalThis.setTimeout = real;
  }
}

Deno.test("a broker that hangs does not keep another one from answering, and is not asked first again", async () => {
  const hung = new ScriptedBroker(() => "silent");
  // It connects, since the system accepts for it, and says nothing at all.
  using mute = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const well = new ScriptedBroker();
  const hosts = [hung.port, (mute.addr as Deno.NetAddr).port, well.port].map((port) =>
    `127.0.0.1:${port}`
  );
  const log = await openLog(`kafka://${hosts.join(",")}`);
  try {
    await log.topics();
    const asked = hung.seen.length;
    await patiently(async () => {
      for (let i = 0; i < 3; i++) await log.topics();
    });
    assert.equal(hung.seen.length, asked);
    assert.equal(well.seen.length, 1 + 4);
  } finally {
    await log.close();
    await hung.close();
    await well.close();
  }
});

Deno.test("a broker that failed is asked after all others", async () => {
  const failing = new ScriptedBroker(() => "close");
  const [first, second] = [new ScriptedBroker(), new ScriptedBroker()];
  const hosts = [failing, first, second].map(({ port }) => `127.0.0.1:${port}`);
  const log = await openLog(`kafka://${hosts.join(",")}`);
  try {
    await patiently(async () => {
      await log.topics();
      const asked = failing.seen.length;
      assert.ok(asked > 0 && second.seen.length === 0);
      await first.close();
      await log.topics();
      assert.ok(second.seen.length > 0);
      assert.equal(failing.seen.length, asked);
    });
  } finally {
    await log.close();
    await failing.close();
    await second.close();
  }
});

Deno.test("an append continues after a broker that did not answer for its producer id", async () => {
  let silent = true;
  const broker = new ScriptedBroker(({ key }) => {
    if (key !== INIT_PRODUCER_ID.key || !silent) return "well";
    silent = false;
    return "silent";
  });
  const log = await openLog(broker.url, { timeoutMs: 5_000 });
  try {
    const producer = await log.producer();
    assert.equal(await producer.append("t", 0, [record]), 0);
    assert.equal(await producer.append("t", 0, [record]), 1);
    assert.equal(silent, false);
  } finally {
    await log.close();
    await broker.close();
  }
});

Deno.test("an append that ran out of time while its producer id was asked for is settled, and so is the next one", async () => {
  let silent = true;
  const broker = new ScriptedBroker(({ key }) =>
    key === INIT_PRODUCER_ID.key && silent ? "silent" : "well"
  );
  const log = await openLog(broker.url, { timeoutMs: 100 });
  try {
    const producer = await log.producer();
    await assert.rejects(producer.append("t", 0, [record]), { code: "UNREACHABLE" });
    silent = false;
    // On a busy machine this may run out of time too, but never for good.
    assert.ok(await retry(() => producer.append("t", 0, [record])) >= 0);
  } finally {
    await log.close();
    await broker.close();
  }
});

Deno.test("what waits for a broker that the cluster has given up continues elsewhere", async () => {
  let held = false;
  const leader = new ScriptedBroker(() => held ? "silent" : "well", 1);
  const successor = new ScriptedBroker(() => "well", 2);
  leader.peers.push({ nodeId: 2, port: successor.port });
  const log = await openLog(`${leader.url},127.0.0.1:${successor.port}`);
  try {
    const producer = await log.producer();
    assert.equal(await producer.append("t", 0, [record]), 0);
    held = true;
    assert.equal(await producer.append("t", 0, [record]), 0);
    const { seen } = successor;
    const produced = seen.findIndex(({ key }) => key === 0);
    // Which brokers there are, and nothing else, was asked before the request ran out of time.
    assert.ok(seen.slice(0, produced).some(({ key, name }) => key === 3 && name === ""));
  } finally {
    await log.close();
    await leader.close();
    await successor.close();
  }
});

Deno.test("a member that waits goes to the next coordinator once the cluster has given up its own", async () => {
  let held = false;
  const isJoin = ({ key }: { readonly key: number }) => key === JOIN_GROUP.key;
  const coordinator = new ScriptedBroker((seen) => held || isJoin(seen) ? "silent" : "well", 1);
  const successor = new ScriptedBroker(() => "well", 2);
  coordinator.peers.push({ nodeId: 2, port: successor.port });
  const log = await openLog(`${coordinator.url},127.0.0.1:${successor.port}`);
  try {
    await log.partitionCount("t");
    const onAssignment = () => Promise.resolve();
    const joining = log.joinGroup({ group: "g", topic: "t", onAssignment });
    await until("it joins", () => coordinator.seen.some(isJoin));
    held = true;
    await (await joining).leave();
    assert.ok(successor.seen.some(isJoin));
  } finally {
    await log.close();
    await coordinator.close();
    await successor.close();
  }
});

Deno.test("candidates are tried side by side: the first success wins, and the others are broken off", async () => {
  const { signal } = new AbortController();
  const ended: string[] = [];
  const wait = (name: string, end: AbortSignal) =>
    new Promise<string>((_, reject) =>
      end.addEventListener("abort", () => {
        ended.push(name);
        reject(end.reason);
      }, { once: true })
    );
  const won = await firstOf(["hangs", "fails", "wins"], (name, end) => {
    if (name === "hangs") return wait(name, end);
    return name === "fails" ? Promise.reject(new Error("no")) : Promise.resolve(name);
  }, { delayMs: 1, signal });
  assert.equal(won, "wins");
  assert.deepEqual(ended, ["hangs"]);
  const all = firstOf(["a", "b"], (name) => Promise.reject(new Error(name)), {
    delayMs: 1,
    signal,
  });
  await assert.rejects(all, /^Error: a$/);
});

Deno.test("what succeeds when the race is over is discarded", async () => {
  const late = Promise.withResolvers<string>();
  const stop = new AbortController();
  const discarded: string[] = [];
  const options = {
    delayMs: 1,
    signal: stop.signal,
    discard: (one: string) => discarded.push(one),
  };
  const won = await firstOf([late.promise, Promise.resolve("first")], (one) => one, options);
  assert.equal(won, "first");
  const aborted = firstOf([late.promise], (one) => one, options);
  stop.abort(new Error("Stopped"));
  late.resolve("late");
  await assert.rejects(aborted, /Stopped/);
  assert.deepEqual(discarded, ["late", "late"]);
});
