/**
 * What so many cameras need, reckoned from what was measured: reads the results of other benchmarks
 * and says from which file each figure is. Nothing is measured here.
 *
 *     deno task bench sizing [--cameras 10000] [--fps 15] [--kilobytes 60] [--hours 24] [--out DIR]
 *         [--machine-hour 1] [--gigabyte-between-zones 0.01]
 *
 * @module
 */
import { parseArgs } from "node:util";
import { print } from "./print.ts";
import { table, writeReport } from "./support/report.ts";
import { median } from "./support/stats.ts";

/** Shares of a machine that are used when all is well; the rest is for peaks and for lost machines. */
const CPU_USE = 0.6;
const NETWORK_USE = 0.5;
const DISK_USE = 0.8;
const REPLICAS = 3;
/** A common server, for want of yours. */
const CORES = 16;
const GIGABITS = 25;
const TERABYTES = 8 * 15.36;
/** Lanes of one topic: what the `scale` benchmark went through, and what one group moves in seconds. */
const LANES_PER_TOPIC = 256;

interface PartitionRuns {
  readonly runs: readonly {
    readonly log: string;
    readonly query?: string;
    readonly many?: readonly {
      readonly cpuMsPerFrame: number;
      readonly brokerCpuMsPerFrame?: number;
    }[];
  }[];
}

async function resultsOf<T>(file: string, command: string): Promise<T> {
  try {
    return JSON.parse(await Deno.readTextFile(file));
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    throw new Error(`Cannot reckon without ${file}: run ${command} first`);
  }
}

/** `deno task bench sizing`. */
export async function bench(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      cameras: { type: "string", default: "10000" },
      fps: { type: "string", default: "15" },
      kilobytes: { type: "string", default: "60" },
      hours: { type: "string", default: "24" },
      // Prices are yours to say: these are round numbers, in whatever currency.
      "machine-hour": { type: "string", default: "1" },
      "gigabyte-between-zones": { type: "string", default: "0.01" },
      results: { type: "string", default: "docs/results" },
      out: { type: "string", default: "docs/results/sizing" },
    },
  });
  const [cameras, fps, kilobytes, hours] = [
    values.cameras,
    values.fps,
    values.kilobytes,
    values.hours,
  ].map(Number) as [number, number, number, number];
  const { runs } = await resultsOf<PartitionRuns>(
    `${values.results}/partitions/partitions.json`,
    "deno task bench partitions",
  );
  const measured = (query: string) =>
    runs.find((run) => run.log === "kafka" && run.query === query)?.many ?? [];
  const cpu = (query: string) => median(measured(query).map((run) => run.cpuMsPerFrame));
  // Whatever the query, the broker does the same; the compiler of a fresh one is in the first runs.
  const brokerCpu = Math.min(
    ...["passthrough", "greyscale"].flatMap(measured).map((run) => run.brokerCpuMsPerFrame ?? NaN),
  );
  const rate = cameras * fps;
  const inGigabytes = rate * kilobytes / 1e6;
  const replicated = inGigabytes * (REPLICAS - 1);
  const stored = inGigabytes * 3600 * hours * REPLICAS / 1000;
  const usable = GIGABITS / 8 * NETWORK_USE;
  const brokers = {
    // Each direction of the network: cameras and other brokers in, queries and other brokers out.
    network: Math.ceil((inGigabytes + replicated) / usable),
    // What a replica costs was not measured: as much as the leader is on the safe side.
    processor: Math.ceil(rate * brokerCpu * REPLICAS / 1000 / (CORES * CPU_USE)),
    storage: Math.ceil(stored / (TERABYTES * DISK_USE)),
  };
  const machines = (query: string) => Math.ceil(rate * cpu(query) / 1000 / (CORES * CPU_USE));
  const prices = {
    machine: Number(values["machine-hour"]),
    traffic: Number(values["gigabyte-between-zones"]),
  };
  const allMachines = Math.max(...Object.values(brokers)) + machines("greyscale");
  const costs = {
    machines: allMachines * 24 * prices.machine,
    // Replicas in three zones: each frame goes to two other zones, and two of three times to its
    // query as well.
    traffic: (replicated + inGigabytes * 2 / 3) * 86_400 * prices.traffic,
  };
  const f = (value: number, digits = 0) =>
    value.toLocaleString("en", { maximumFractionDigits: digits });
  const from = "`deno task bench partitions`, 64 partitions";
  const lines = [
    `${
      f(cameras)
    } cameras × ${fps} frames/s × ${kilobytes} KB, kept for ${hours} h, ${REPLICAS} replicas. ` +
    `Machines of ${CORES} cores, ${GIGABITS} Gbit/s, ${f(TERABYTES, 1)} TB, used to ${
      CPU_USE * 100
    } % of their processors, ${NETWORK_USE * 100} % of their network, ${
      DISK_USE * 100
    } % of their disks.`,
    "",
    ...table(["what", "", "from"], [
      ["frames a second", f(rate), "cameras × rate"],
      ["into Kafka", `${f(inGigabytes, 1)} GB/s`, "× size of a frame"],
      ["between brokers", `${f(replicated, 1)} GB/s`, `× ${REPLICAS - 1} more replicas`],
      ["to one query", `${f(inGigabytes, 1)} GB/s`, "each query that reads all adds as much"],
      ["on disks", `${f(stored)} TB`, `${hours} h × ${REPLICAS} replicas`],
      ["broker, processor for a frame", `${f(brokerCpu, 2)} ms`, from],
      ["runtime, processor for a frame, passthrough", `${f(cpu("passthrough"), 2)} ms`, from],
      ["runtime, processor for a frame, greyscale", `${f(cpu("greyscale"), 2)} ms`, from],
      ["brokers by network", f(brokers.network), ""],
      ["brokers by processor", f(brokers.processor), ""],
      ["brokers by disks", f(brokers.storage), ""],
      ["**brokers**", `**${f(Math.max(...Object.values(brokers)))}**`, "the most of the three"],
      ["partitions", f(cameras), "one for each camera"],
      [
        "replicas on a broker",
        f(cameras * REPLICAS / Math.max(...Object.values(brokers))),
        "",
      ],
      [
        "topics and groups",
        f(Math.ceil(cameras / LANES_PER_TOPIC)),
        `${LANES_PER_TOPIC} cameras each`,
      ],
      ["**runtime machines**, passthrough", `**${f(machines("passthrough"))}**`, ""],
      ["**runtime machines**, greyscale", `**${f(machines("greyscale"))}**`, ""],
      [
        "network of a runtime machine, greyscale",
        `${f(inGigabytes / machines("greyscale") * 8, 1)} Gbit/s`,
        "",
      ],
      [
        "machines for a day",
        f(costs.machines),
        `${f(allMachines)} machines at ${prices.machine} an hour, with greyscale`,
      ],
      [
        "traffic between three zones for a day",
        f(costs.traffic),
        `at ${prices.traffic} a gigabyte; none where all is in one zone`,
      ],
    ]),
  ];
  print(lines.join("\n"));
  await writeReport(values.out, {
    name: "sizing",
    title: "What many cameras need",
    command: `deno task bench sizing ${args.join(" ")}`.trim(),
    lines,
    data: { rate, inGigabytes, stored, brokers, greyscale: machines("greyscale"), costs },
  });
}
