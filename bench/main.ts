// `deno task bench NAME [OPTIONS]`: runs one benchmark.
import { columnsOf, wrapped } from "../cli/help.ts";
import { terminalColumns } from "../cli/progress_bar.ts";
import { print } from "./print.ts";

/** What each file of this folder measures. */
const BENCHMARKS: Readonly<Record<string, string>> = {
  cameras: "many registered cameras in one process: frames, processor, memory",
  log: "both logs: appends, reads, processor, bytes written for each byte of a frame",
  kafka: "batch size × linger × compression on Kafka",
  pipeline: "greyscale over a backlog and live, on both logs, beside the bare codec loop",
  peers: "Framelane beside Spark, Python and KafkaJS: same frames, same machine, same run",
  model: "what models cost, how many cameras this machine carries, how soon an alert is there",
  start: "from the start of the process to the first processed frame",
  launcher: "what the launcher adds to the start of a command",
  partitions: "many partitions beside three: drops, latency, processor; idle partitions",
  passthrough: "a query without a codec beside the bare Kafka client",
  memory: "memory of `deno task queries` with three live cameras, and whether it grows",
  scale: "many runtimes on one Kafka with hundreds of partitions",
  video: "video that stays video: clips, a frame from camera to pixels, a page that decodes itself",
  weights:
    "models of many architectures beside what their authors' code finds, on the same pictures",
  tracking: "MOTA, IDF1 and HOTA of track() beside ByteTrack, on the same detections",
  viewer: "what queries notice of a page with many lanes, and of many pages",
};

/** A benchmark: its arguments in, its figures printed. */
export type Benchmark = (args: readonly string[]) => Promise<void>;

if (import.meta.main) {
  const [name = "", ...args] = Deno.args;
  const columns = terminalColumns();
  const list = columnsOf(Object.entries(BENCHMARKS), columns).join("\n");
  if (name === "--help" || name === "-h") {
    print(`deno task bench NAME [OPTIONS]\n\n${list}`);
    Deno.exit(0);
  }
  if (!Object.hasOwn(BENCHMARKS, name)) {
    const fault = name === "" ? "Which benchmark?" : `Unknown benchmark ${JSON.stringify(name)}:`;
    Deno.stderr.writeSync(new TextEncoder().encode(`${fault} expected one of\n${list}\n`));
    Deno.exit(2);
  }
  if (args.includes("--help") || args.includes("-h")) {
    const about = wrapped(BENCHMARKS[name]!, columns).join("\n");
    print(`deno task bench ${name} [OPTIONS]\n\n${about}\n`);
  }
  const { bench } = await import(`./${name}.ts`) as { bench: Benchmark };
  await bench(args);
  Deno.exit(0);
}
