/** Each node of three is held in turn (SIGSTOP) under load: nothing is lost or doubled, and how long each partition is silent. */
import assert from "node:assert/strict";
import { openLog } from "../../../runtime/log/open.ts";
import { retry } from "../../support/retry.ts";
import { withKafka } from "../../support/kafka.ts";
import { reportRow, say } from "../../support/trial_report.ts";

const PARTITIONS = 3;
const HELD_MS = 25_000;
/** The controller's time until it gives a node up, and what a client may take beside it. */
const FAILOVER_MS = 9_000;
const CLIENT_MS = 3_000;

Deno.test("a node that hangs costs at most its failover, and no frame", async () => {
  await withKafka({ nodes: 3, timeoutMs: 300_000 }, async (kafka) => {
    const log = await openLog(`kafka://${kafka.bootstrap}`);
    try {
      await log.createTopic("frames", PARTITIONS);
      const producer = await log.producer();
      const reader = await log.reader();
      const stop = new AbortController();
      const seen = Array.from({ length: PARTITIONS }, (): number[] => []);
      const sent = new Array<number>(PARTITIONS).fill(0);
      const worst: number[] = [];
      const longest = new Array<number>(PARTITIONS).fill(0);
      const writing = sent.map(async (_, partition) => {
        while (!stop.signal.aborted) {
          const value = new TextEncoder().encode(`${sent[partition]}`);
          const records = [{ key: null, value, timestamp: Date.now(), headers: {} }];
          await retry(() => producer.append("frames", partition, records));
          sent[partition]!++;
          await new Promise((next) => setTimeout(next, 50));
        }
      });
      const reading = seen.map(async (values, partition) => {
        const from = await reader.open("frames", partition, 0);
        let last = performance.now();
        while (!stop.signal.aborted || values.length < sent[partition]!) {
          for (const { value } of await from.read(64)) {
            values.push(Number(new TextDecoder().decode(value)));
          }
          longest[partition] = Math.max(longest[partition]!, performance.now() - last);
          last = performance.now();
        }
      });
      await new Promise((next) => setTimeout(next, 5_000));
      for (const node of kafka.nodes) {
        longest.fill(0);
        node.pause();
        await new Promise((next) => setTimeout(next, HELD_MS));
        node.resume();
        const silences = longest.map((ms) => `${(ms / 1000).toFixed(1)} s`).join(", ");
        say(`node ${node.id} held: longest silence of each partition ${silences}`);
        worst.push(Math.max(...longest));
        assert.ok(Math.max(...longest) <= FAILOVER_MS + CLIENT_MS, silences);
        await new Promise((next) => setTimeout(next, 8_000));
      }
      stop.abort();
      await Promise.all([...writing, ...reading]);
      for (const [partition, values] of seen.entries()) {
        assert.deepEqual(values, Array.from({ length: sent[partition]! }, (_, i) => i));
      }
      reportRow({
        fault: "one node of three held for 25 s, each in turn (silence)",
        repetitions: worst.length,
        verdict: { lost: 0, doubled: 0, reordered: 0 },
        recoveryMs: worst,
      });
    } finally {
      await log.close();
    }
  });
});
