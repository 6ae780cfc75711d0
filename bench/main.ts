/**
 * `deno task bench NAME [OPTIONS]`: runs one benchmark.
 *
 * @module
 */
import { print } from "./print.ts";

const BENCHMARKS: Readonly<Record<string, { about: string; load: () => Promise<Benchmark> }>> = {
  camera: {
    about: "a film into both logs, beside bare decoding and encoding",
    load: async () => (await import("./camera.ts")).bench,
  },
  cameras: {
    about: "many registered cameras in one process: frames, processor, memory",
    load: async () => (await import("./cameras.ts")).bench,
  },
  log: {
    about: "both logs: appends, reads, processor, bytes written for each byte of a frame",
    load: async () => (await import("./log.ts")).bench,
  },
  kafka: {
    about: "batch size × linger × compression on Kafka",
    load: async () => (await import("./kafka.ts")).bench,
  },
  pipeline: {
    about: "greyscale over a backlog and live, on both logs, beside the bare codec loop",
    load: async () => (await import("./pipeline.ts")).bench,
  },
  peers: {
    about: "Framelane beside Spark, Python and KafkaJS: same frames, same machine, same run",
    load: async () => (await import("./peers.ts")).bench,
  },
  model: {
    about: "what models cost, how many cameras this machine carries, how soon an alert is there",
    load: async () => (await import("./model.ts")).bench,
  },
  codec: {
    about: "the bare codec loop, in all its ways",
    load: async () => (await import("./codec.ts")).bench,
  },
  isolation: {
    about: "what a lane that holds its thread does to the others",
    load: async () => (await import("./isolation.ts")).bench,
  },
  runtime: {
    about: "what the engine costs per frame, per batch and per window",
    load: async () => (await import("./runtime.ts")).bench,
  },
  start: {
    about: "from the start of the process to the first processed frame",
    load: async () => (await import("./start.ts")).bench,
  },
  launcher: {
    about: "what the launcher adds to the start of a command",
    load: async () => (await import("./launcher.ts")).bench,
  },
  partitions: {
    about: "many partitions beside three: drops, latency, processor; idle partitions",
    load: async () => (await import("./partitions.ts")).bench,
  },
  passthrough: {
    about: "a query without a codec beside the bare Kafka client",
    load: async () => (await import("./passthrough.ts")).bench,
  },
  memory: {
    about: "memory of `deno task queries` with three live cameras, and whether it grows",
    load: async () => (await import("./memory.ts")).bench,
  },
  scale: {
    about: "many runtimes on one Kafka with hundreds of partitions",
    load: async () => (await import("./scale.ts")).bench,
  },
  video: {
    about:
      "video that stays video: clips, a frame from camera to pixels, a page that decodes itself",
    load: async () => (await import("./video.ts")).bench,
  },
  tracking: {
    about: "MOTA, IDF1 and HOTA of track() beside ByteTrack, on the same detections",
    load: async () => (await import("./tracking.ts")).bench,
  },
  viewer: {
    about: "many lanes on one page, many pages, and what the queries notice of them",
    load: async () => (await import("./viewer.ts")).bench,
  },
};

/** A benchmark: its arguments in, its figures printed. */
export type Benchmark = (args: readonly string[]) => Promise<void>;

if (import.meta.main) {
  const [name = "", ...args] = Deno.args;
  const list = Object.entries(BENCHMARKS)
    .map(([key, { about }]) => `  ${key.padEnd(11)} ${about}`).join("\n");
  if (name === "--help" || name === "-h") {
    print(`deno task bench NAME [OPTIONS]\n\n${list}`);
    Deno.exit(0);
  }
  const found = Object.hasOwn(BENCHMARKS, name) ? BENCHMARKS[name] : undefined;
  if (found === undefined) {
    const fault = name === "" ? "Which benchmark?" : `Unknown benchmark ${JSON.stringify(name)}:`;
    Deno.stderr.writeSync(new TextEncoder().encode(`${fault} expected one of\n${list}\n`));
    Deno.exit(2);
  }
  if (args.includes("--help") || args.includes("-h")) {
    print(`deno task bench ${name} [OPTIONS]\n\n${found.about}\n`);
  }
  await (await found.load())(args);
  Deno.exit(0);
}
