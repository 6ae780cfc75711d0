/** Nodes of three are held (SIGSTOP) under load: every record arrives once, in order. */
import assert from "node:assert/strict";
import { openLog } from "../../runtime/log/open.ts";
import { withKafka } from "../support/kafka.ts";
import { retry } from "../support/retry.ts";

const PARTITIONS = 3;
/** What a writer sends last. */
const END = "end";

const pause = (ms: number) => new Promise((next) => setTimeout(next, ms));

/**
 * Holds nodes, one after the other, while each partition is written and read.
 *
 * @param held indexes of the nodes.
 * @returns for each of them the longest time without a record, milliseconds, by partition.
 */
export async function holdNodes(
  { held, heldMs, restMs }: {
    readonly held: readonly number[];
    readonly heldMs: number;
    readonly restMs: number;
  },
): Promise<number[][]> {
  const silences: number[][] = [];
  await withKafka({ nodes: 3, timeoutMs: 300_000 }, async (kafka) => {
    const log = await openLog(`kafka://${kafka.bootstrap}`);
    try {
      await log.createTopic("frames", PARTITIONS);
      const producer = await log.producer();
      const reader = await log.reader();
      const stop = new AbortController();
      const seen = Array.from({ length: PARTITIONS }, (): string[] => []);
      const sent = new Array<number>(PARTITIONS).fill(0);
      const longest = new Array<number>(PARTITIONS).fill(0);
      const append = (partition: number, text: string) => {
        const value = new TextEncoder().encode(text);
        const records = [{ key: null, value, timestamp: Date.now(), headers: {} }];
        return retry(() => producer.append("frames", partition, records));
      };
      const writing = sent.map(async (_, partition) => {
        for (; !stop.signal.aborted; await pause(50)) {
          await append(partition, `${sent[partition]}`);
          sent[partition]!++;
        }
        await append(partition, END);
      });
      const reading = seen.map(async (values, partition) => {
        const from = await reader.open("frames", partition, 0);
        let last = performance.now();
        while (values.at(-1) !== END) {
          for (const { value } of await from.read(64)) {
            values.push(new TextDecoder().decode(value));
          }
          longest[partition] = Math.max(longest[partition]!, performance.now() - last);
          last = performance.now();
        }
      });
      await pause(restMs);
      for (const index of held) {
        const node = kafka.nodes[index]!;
        longest.fill(0);
        node.pause();
        await pause(heldMs);
        node.resume();
        await pause(restMs);
        silences.push([...longest]);
      }
      stop.abort();
      await Promise.all([...writing, ...reading]);
      for (const [partition, values] of seen.entries()) {
        const all = Array.from({ length: sent[partition]! }, (_, i) => `${i}`);
        assert.deepEqual(values, [...all, END], `partition ${partition}`);
      }
    } finally {
      await log.close();
    }
  });
  return silences;
}
