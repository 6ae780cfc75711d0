/**
 * Three Kafka nodes, of which one at a time is held, cut off, killed or restarted, while cameras publish, a query
 * passes their frames on exactly once, the wall shows them, and librdkafka writes and reads beside them.
 *
 * @module
 */
import { parseAddress } from "../../runtime/log/kafka/net/address.ts";
import { Cluster } from "../../runtime/log/kafka/net/cluster.ts";
import type { TopicLog } from "../../runtime/log/log.ts";
import { openLog } from "../../runtime/log/open.ts";
import type { KafkaCluster } from "../../tools/kafka/cluster.ts";
import { brokersSeenFrom, freePort } from "../../tools/kafka/probe.ts";
import { judgeTopic } from "../recovery/outputs.ts";
import { assertFlawless, type Marked, markedRecords, markOf, total } from "../support/checker.ts";
import { FramelaneProcess } from "../support/framelane.ts";
import { withKafka } from "../support/kafka.ts";
import { Relay } from "../support/relay.ts";
import { retry } from "../support/retry.ts";
import { say } from "../support/trial_report.ts";
import { until } from "../support/until.ts";
import { Silences } from "./silences.ts";

const PARTITIONS = 3;
const EVERY_MS = 50;
/**
 * A coordinator whose marker of a transaction is on its way to a broker that hangs waits this long before it asks the
 * successor: 30 s by default, in which nothing that the transaction wrote can be read.
 */
const extraProperties = { "request.timeout.ms": 5_000 };
const [FRAMES, OUT, PEER] = ["frames", "out", "peer"] as const;

/** What happens to a node. */
export const FAULTS = ["held", "cut", "swallowed", "killed", "restarted"] as const;
export type Fault = typeof FAULTS[number];

/** One fault of one node. */
export interface Blow {
  readonly fault: Fault;
  readonly node: number;
}

/** What a blow came to, milliseconds. */
export interface Outcome extends Blow {
  /** Until the cluster had given the node up; undefined when it never did. */
  readonly failoverMs?: number;
  /** Longest silence of each kind of stream: of partitions whose brokers were well, and of the others. */
  readonly silences: ReadonlyMap<string, { readonly well: number; readonly struck: number }>;
  /** A client that started in the middle of it: until its first record was back. */
  readonly startMs: number;
}

/** Deals the blows, one after the other; fails when a frame is lost, doubled or reordered. */
export async function chaos(
  blows: readonly Blow[],
  { lastingMs, restMs, peers }: { lastingMs: number; restMs: number; peers: boolean },
): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  let kafka: KafkaCluster | undefined;
  const portOf = (index: number) => Number(kafka!.nodes[index]!.address.split(":")[1]);
  const relays = [0, 1, 2].map((index) => new Relay(freePort(), () => portOf(index)));
  const advertised = relays.map(({ port }) => port);
  const url = `kafka://${advertised.map((port) => `127.0.0.1:${port}`).join(",")}`;
  try {
    await withKafka(
      { nodes: 3, timeoutMs: 300_000, advertised, extraProperties },
      async (started) => {
        kafka = started;
        await using bed = await Bed.start(url, peers);
        await new Promise((next) => setTimeout(next, restMs));
        for (const blow of blows) {
          outcomes.push(
            await bed.strike(blow, { kafka, relay: relays[blow.node]!, lastingMs, restMs }),
          );
          say(describe(outcomes.at(-1)!));
        }
        await bed.finish();
      },
    );
  } finally {
    for (const relay of relays) relay.cut();
  }
  return outcomes;
}

/** An outcome as a line. */
export function describe({ fault, node, failoverMs, silences, startMs }: Outcome): string {
  const seconds = (ms: number) => (ms / 1000).toFixed(1);
  const streams = [...silences].map(([name, { well, struck }]) =>
    `${name} ${seconds(well)} / ${seconds(struck)} s`
  );
  const failover = failoverMs === undefined ? "not given up" : `given up ${seconds(failoverMs)} s`;
  return `node ${node + 1} ${fault}: ${failover}; silences, brokers well / struck: ${
    streams.join(", ")
  }; started within ${seconds(startMs)} s`;
}

/** All that is at work. */
class Bed implements AsyncDisposable {
  readonly #url: string;
  readonly #log: TopicLog;
  readonly #cluster: Cluster;
  readonly #query: FramelaneProcess;
  readonly #silences: Silences;
  readonly #published: Marked[] = [];
  readonly #stop = new AbortController();
  readonly #writing: Promise<unknown>;

  private constructor(url: string, log: TopicLog, cluster: Cluster, peers: boolean) {
    this.#url = url;
    this.#log = log;
    this.#cluster = cluster;
    const port = freePort();
    const [inputs, outputs] = [["--topic", FRAMES], [
      "--sink",
      `topic:${OUT}`,
      "--sink",
      "display",
    ]];
    this.#query = new FramelaneProcess([
      ...[
        "queries",
        "passthrough",
        "--log",
        url,
        ...inputs,
        ...outputs,
        "--group",
        "chaos-passthrough",
      ],
      ...[
        "--starting-offsets",
        "earliest",
        "--session-timeout",
        "6000",
        "--executors",
        "1",
        "--json",
      ],
      ...["--port", String(port)],
    ]);
    this.#silences = new Silences(PARTITIONS, this.#stop.signal);
    this.#silences.topic("camera", log, FRAMES);
    this.#silences.topic("query", log, OUT);
    this.#silences.wall("wall", port);
    if (peers) this.#silences.kcat("librdkafka", url.slice("kafka://".length), PEER, EVERY_MS);
    this.#writing = Promise.all(
      Array.from({ length: PARTITIONS }, (_, partition) => this.#publish(partition)),
    );
    this.#writing.catch(() => {}); // Told by `finish`.
  }

  static async start(url: string, peers: boolean): Promise<Bed> {
    const log = await openLog(url);
    for (const topic of [FRAMES, OUT, PEER]) await log.createTopic(topic, PARTITIONS);
    const bed = new Bed(url, log, new Cluster(await parseAddress(url), 10_000), peers);
    try {
      await bed.#query.until(
        "all lanes",
        (query) => [0, 1, 2].every((partition) => query.progress(partition).length > 0),
        120_000,
      );
      await until("all streams", () => bed.#silences.running, 60_000);
    } catch (error) {
      await bed[Symbol.asyncDispose]();
      throw error;
    }
    return bed;
  }

  async #publish(partition: number): Promise<void> {
    const producer = await this.#log.producer();
    const start = Date.now();
    for (let from = 0; !this.#stop.signal.aborted; from++) {
      const records = markedRecords(partition + 1, 1, { from, start });
      await retry(() => producer.append(FRAMES, partition, records), 120_000);
      this.#published.push(...records.map(markOf));
      await new Promise((next) => setTimeout(next, EVERY_MS));
    }
    await producer.close();
  }

  async strike(
    blow: Blow,
    { kafka, relay, lastingMs, restMs }: {
      kafka: KafkaCluster;
      relay: Relay;
      lastingMs: number;
      restMs: number;
    },
  ): Promise<Outcome> {
    const node = kafka.nodes[blow.node]!;
    const struck = await this.#brokersOf(node.id);
    this.#silences.reset();
    const begun = performance.now();
    const over = new AbortController();
    const failover = failoverOf(kafka, blow.node, over.signal);
    if (blow.fault === "held") node.pause();
    else if (blow.fault === "cut") relay.cut();
    else if (blow.fault === "swallowed") relay.swallow();
    else await node[blow.fault === "killed" ? "kill" : "stop"]();
    const startMs = await this.#startAnew(struck);
    const left = begun + lastingMs - performance.now();
    if (left > 0) await new Promise((next) => setTimeout(next, left));
    over.abort();
    const failoverMs = await failover;
    if (blow.fault === "held") node.resume();
    else if (blow.fault === "cut" || blow.fault === "swallowed") relay.heal();
    else await node.start();
    await new Promise((next) => setTimeout(next, restMs));
    return {
      ...blow,
      ...(failoverMs === undefined ? {} : { failoverMs }),
      silences: this.#silences.longest((stream, partition) => struck(stream, partition)),
      startMs,
    };
  }

  /** Whether a stream's partition needs the node with this id. */
  async #brokersOf(id: number): Promise<(stream: string, partition: number) => boolean> {
    const { signal } = this.#stop;
    const leads = async (topic: string) =>
      (await this.#cluster.topic(topic, signal, true))!.leaders.map(({ broker }) => broker === id);
    const [frames, out, peer, groups, transactions] = await Promise.all(
      [FRAMES, OUT, PEER, "__consumer_offsets", "__transaction_state"].map(leads),
    );
    return (stream, partition) => {
      if (stream === "librdkafka") return peer![partition]!;
      if (stream === "camera") return frames![partition]!;
      return frames![partition]! || out![partition]! || groups![0]! || transactions![0]!;
    };
  }

  /** A new client: until it has written a record to a partition whose broker is well, and read it. */
  async #startAnew(struck: (stream: string, partition: number) => boolean): Promise<number> {
    const partition = [0, 1, 2].find((one) => !struck("librdkafka", one));
    if (partition === undefined) return 0;
    const begun = performance.now();
    const log = await openLog(this.#url);
    try {
      const { latest } = await retry(() => log.offsets(PEER, partition));
      const reader = await log.reader();
      await reader.open(PEER, partition, Math.max(0, latest - 1));
      return performance.now() - begun;
    } finally {
      await log.close();
    }
  }

  /** Ends everything, and judges. */
  async finish(): Promise<void> {
    this.#stop.abort();
    await this.#writing;
    const published = this.#published.length;
    await until("all outputs", async () => await this.#outputs() >= published, 60_000);
    const code = await this.#query.stop();
    if (code !== 0) throw new Error(`The query ended with ${code}:\n${this.#query.output()}`);
    assertFlawless(
      total([
        await judgeTopic(this.#log, FRAMES, PARTITIONS, this.#published),
        await judgeTopic(this.#log, OUT, PARTITIONS, this.#published),
      ]),
      "frames and outputs",
    );
    say(`${published} frames: none lost, doubled or reordered`);
  }

  async #outputs(): Promise<number> {
    let count = 0;
    const reader = await this.#log.reader();
    for (let partition = 0; partition < PARTITIONS; partition++) {
      const { latest } = await this.#log.offsets(OUT, partition);
      const source = await reader.open(OUT, partition, 0);
      for (;;) {
        const frames = await source.read(1_000, undefined, latest);
        if (frames.length === 0) break;
        count += frames.length;
      }
    }
    await reader.close();
    return count;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#query.kill();
    await this.#writing.catch(() => {});
    await this.#silences.ended;
    await this.#cluster.close();
    await this.#log.close();
  }
}

/** When the other nodes had given one up, milliseconds from now. */
async function failoverOf(
  kafka: KafkaCluster,
  struck: number,
  signal: AbortSignal,
): Promise<number | undefined> {
  const begun = performance.now();
  const witness = Number(kafka.nodes[(struck + 1) % 3]!.address.split(":")[1]);
  while (!signal.aborted) {
    if (await brokersSeenFrom(witness) === 2) return performance.now() - begun;
    await new Promise((next) => setTimeout(next, 50));
  }
}
