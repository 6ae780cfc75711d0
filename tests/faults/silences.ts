// How long streams of records were silent, seen from where they arrive.
import type { TopicLog } from "../../runtime/log/log.ts";

/** Streams of several kinds, each of as many partitions. */
export class Silences {
  readonly #partitions: number;
  readonly #signal: AbortSignal;
  readonly #last = new Map<string, number[]>();
  readonly #longest = new Map<string, number[]>();
  readonly #tasks: Promise<void>[] = [];

  /** @param signal ends all streams. */
  constructor(partitions: number, signal: AbortSignal) {
    this.#partitions = partitions;
    this.#signal = signal;
  }

  /** Whether something has come on each. */
  get running(): boolean {
    return [...this.#last.values()].every((of) => of.every((at) => at > 0));
  }

  /** Resolves when all have ended. */
  get ended(): Promise<unknown> {
    return Promise.all(this.#tasks);
  }

  /** Forgets what was. */
  reset(): void {
    for (const of of this.#longest.values()) of.fill(0);
  }

  /** The longest silence of each partition of each kind, milliseconds. */
  get longest(): ReadonlyMap<string, readonly number[]> {
    const now = performance.now();
    const sinceLast = (name: string, partition: number) => now - this.#last.get(name)![partition]!;
    return new Map([...this.#longest].map(([name, of]) => [
      name,
      of.map((ms, partition) => Math.max(ms, sinceLast(name, partition))),
    ]));
  }

  /** The records of a topic. */
  topic(name: string, log: TopicLog, topic: string): void {
    this.#each(name, async (partition, arrived) => {
      const reader = await log.reader();
      const source = await reader.open(topic, partition, 0);
      while (!this.#signal.aborted) {
        if ((await source.read(64, this.#signal)).length > 0) arrived();
      }
    });
  }

  /** The pictures of the wall at a port. */
  wall(name: string, port: number): void {
    this.#each(name, async (partition, arrived) => {
      const url = `http://127.0.0.1:${port}/cam/${partition + 1}`;
      while (!this.#signal.aborted) {
        const { body, ok } = await fetch(url, { signal: this.#signal }).catch(() =>
          Response.error()
        );
        if (!ok) await body?.cancel();
        else for await (const _ of body!) arrived();
        await new Promise((next) => setTimeout(next, 100));
      }
    });
  }

  /** librdkafka, as kcat has it: an idempotent producer and a consumer for each partition of a topic. */
  kcat(name: string, brokers: string, topic: string, everyMs: number): void {
    this.#each(name, async (partition, arrived) => {
      const common = ["-b", brokers, "-t", topic, "-p", String(partition), "-E", "-q"];
      const start = (args: string[], stdin: "piped" | "null", stdout: "piped" | "null") =>
        new Deno.Command("kcat", { args: [...args, ...common], stdin, stdout, stderr: "null" })
          .spawn();
      const producer = start(["-P", "-X", "enable.idempotence=true"], "piped", "null");
      const consumer = start(["-C", "-u", "-o", "beginning"], "null", "piped");
      const writer = producer.stdin.getWriter();
      const reading = (async () => {
        for await (const _ of consumer.stdout) arrived();
      })();
      const line = new TextEncoder().encode("a record\n");
      while (!this.#signal.aborted) {
        await writer.write(line);
        await new Promise((next) => setTimeout(next, everyMs));
      }
      await writer.close();
      for (const child of [producer, consumer]) child.kill("SIGKILL");
      await Promise.all([producer.status, consumer.status, reading]);
    });
  }

  #each(name: string, run: (partition: number, arrived: () => void) => Promise<void>): void {
    const last = new Array<number>(this.#partitions).fill(0);
    const longest = new Array<number>(this.#partitions).fill(0);
    this.#last.set(name, last);
    this.#longest.set(name, longest);
    for (let partition = 0; partition < this.#partitions; partition++) {
      const arrived = () => {
        const now = performance.now();
        if (last[partition]! > 0) {
          longest[partition] = Math.max(longest[partition]!, now - last[partition]!);
        }
        last[partition] = now;
      };
      this.#tasks.push(
        run(partition, arrived).catch((error) => {
          if (!this.#signal.aborted) throw error;
        }),
      );
    }
  }
}
