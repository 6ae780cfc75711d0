// Three Kafka nodes, of which one at a time is held, cut off, killed or restarted, while cameras publish, a query
// passes their frames on exactly once, the wall shows them, and librdkafka writes and reads beside them.
import { parseAddress } from "../../runtime/log/kafka/net/address.ts";
import { Cluster } from "../../runtime/log/kafka/net/cluster.ts";
import type { TopicLog } from "../../runtime/log/log.ts";
import { openLog } from "../../runtime/log/open.ts";
import { trialUnits } from "../support/access_units.ts";
import type { KafkaCluster } from "../support/cluster.ts";
import { freePort } from "../../tools/kafka/probe.ts";
import { judgeTopic } from "../recovery/outputs.ts";
import { assertFlawless, type Marked, markedRecords, markOf, total } from "../support/checker.ts";
import { FramelaneProcess } from "../support/framelane.ts";
import { withKafka } from "../support/kafka.ts";
import { Relay } from "../support/relay.ts";
import { retry } from "../support/retry.ts";
import { say } from "../support/trial_report.ts";
import { until } from "../support/until.ts";
import {
  failoverTimes,
  FRAMES,
  isStruck,
  needsOf,
  OUT,
  partitionsSeen,
  PEER,
  type Roles,
  rolesOf,
} from "./roles.ts";
import { Silences } from "./silences.ts";

const PARTITIONS = 3;
const EVERY_MS = 50;
/**
 * A coordinator whose marker of a transaction is on its way to a broker that hangs waits this long before it asks the
 * successor: 30 s by default, in which nothing that the transaction wrote can be read.
 */
const properties = { "request.timeout.ms": 5_000 };
/** Everything on one node alone: a leader that is well waits for no other. */
const ALONE = {
  "default.replication.factor": 1,
  "min.insync.replicas": 1,
  "offsets.topic.replication.factor": 1,
  "transaction.state.log.replication.factor": 1,
  "transaction.state.log.min.isr": 1,
};

/** What happens to a node. */
export const FAULTS = ["held", "cut", "swallowed", "killed", "restarted"] as const;
export type Fault = typeof FAULTS[number];

/** One fault of one node. */
export interface Blow {
  readonly fault: Fault;
  readonly node: number;
}

/** Milliseconds of the worst partition. */
export interface Silence {
  readonly whole: number;
  /** Without the cluster's own time: until it had given the node up, or the node was back. */
  readonly client: number;
}

/** What a blow came to. */
export interface Outcome extends Blow {
  /** Until the cluster had given the node up; undefined when it never did. */
  readonly failoverMs?: number;
  /** Of each kind of stream: of partitions whose leaders and coordinators were well, and of the others. */
  readonly silences: ReadonlyMap<string, { readonly well: Silence; readonly struck: Silence }>;
  /** A client that started in the middle of it: until its first record was back. */
  readonly startMs: number;
}

/** Deals the blows, one after the other; fails when a frame is lost, doubled or reordered. */
export async function chaos(
  blows: readonly Blow[],
  { lastingMs, restMs, peers, replicas }: {
    lastingMs: number;
    restMs: number;
    peers: boolean;
    replicas: 1 | 3;
  },
): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  let kafka: KafkaCluster | undefined;
  const portOf = (index: number) => Number(kafka!.nodes[index]!.address.split(":")[1]);
  const relays = [0, 1, 2].map((index) => new Relay(freePort(), () => portOf(index)));
  const advertised = relays.map(({ port }) => port);
  const url = `kafka://${advertised.map((port) => `127.0.0.1:${port}`).join(",")}`;
  try {
    await withKafka(
      {
        nodes: 3,
        timeoutMs: 300_000,
        advertised,
        properties: replicas === 1 ? { ...properties, ...ALONE } : properties,
      },
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
  const told = ({ whole, client }: Silence) => `${seconds(whole)} (${seconds(client)})`;
  const streams = [...silences].map(([name, { well, struck }]) =>
    `${name} ${told(well)} / ${told(struck)} s`
  );
  const failover = failoverMs === undefined
    ? "not given up"
    : `given up after ${seconds(failoverMs)} s`;
  return `node ${
    node + 1
  } ${fault}: ${failover}; silences (without the cluster's own time), leaders well / struck: ${
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
      );
      await until("all streams", () => bed.#silences.running);
    } catch (error) {
      await bed[Symbol.asyncDispose]();
      throw error;
    }
    return bed;
  }

  async #publish(partition: number): Promise<void> {
    const units = (await trialUnits())(partition + 1);
    const producer = await this.#log.producer();
    const start = Date.now();
    for (let from = 0; !this.#stop.signal.aborted; from++) {
      const records = markedRecords(partition + 1, 1, { from, start, units });
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
    const roles = rolesOf(node.id, await this.#cluster.any(this.#stop.signal, partitionsSeen));
    this.#silences.reset();
    const begun = performance.now();
    const over = new AbortController();
    const witness = kafka.nodes[(blow.node + 1) % 3]!.address;
    const failover = failoverTimes(witness, node.id, roles, over.signal);
    if (blow.fault === "held") await node.pause();
    else if (blow.fault === "cut") relay.cut();
    else if (blow.fault === "swallowed") relay.swallow();
    else await node[blow.fault === "killed" ? "kill" : "stop"]();
    const startMs = await this.#startAnew(roles);
    const left = begun + lastingMs - performance.now();
    if (left > 0) await new Promise((next) => setTimeout(next, left));
    over.abort();
    const givenUpMs = await failover;
    if (blow.fault === "held") node.resume();
    else if (blow.fault === "cut" || blow.fault === "swallowed") relay.heal();
    else await node.start();
    const awayMs = performance.now() - begun;
    await new Promise((next) => setTimeout(next, restMs));
    // Other nodes reach one that clients do not: its replicas continue.
    const followers = blow.fault !== "cut" && blow.fault !== "swallowed";
    const ownMs = (stream: string, partition: number) =>
      Math.max(
        0,
        ...needsOf(stream, partition).map((need) => {
          const role = roles.get(need);
          const waits = role === "leads" || (role === "follows" && followers);
          return waits ? givenUpMs.get(need) ?? awayMs : 0;
        }),
      );
    const silences = [...this.#silences.longest].map(([stream, of]) => {
      const worst = (struck: boolean): Silence => {
        const partitions = of.map((whole, partition) => ({
          whole,
          client: Math.max(0, whole - ownMs(stream, partition)),
          struck: isStruck(roles, stream, partition),
        })).filter((one) => one.struck === struck);
        return {
          whole: Math.max(0, ...partitions.map(({ whole }) => whole)),
          client: Math.max(0, ...partitions.map(({ client }) => client)),
        };
      };
      return [stream, { well: worst(false), struck: worst(true) }] as const;
    });
    const given = [...givenUpMs.values()];
    return {
      ...blow,
      ...(given.length === 0 ? {} : { failoverMs: Math.max(...given) }),
      silences: new Map(silences),
      startMs,
    };
  }

  /** A new client: until it has written a record to a partition whose broker is well, and read it. */
  async #startAnew(roles: Roles): Promise<number> {
    const partition = [0, 1, 2].find((one) => !isStruck(roles, "librdkafka", one));
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
    await until("all outputs", async () => await this.#outputs() >= published);
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
