// How fast each lane is, by its own clock: from its first output to its last, as the Python peers
// count. Reports come once for each batch, too seldom for a backlog of a few seconds.
import type { Operator, Output, StreamingQueryProgress } from "../../runtime/mod.ts";
import { cpuSeconds } from "./process_stats.ts";
import type { Rate } from "./rates.ts";

const NAME = "lane";
/** Outputs of a lane before its clock starts: code is compiled and memory grows meanwhile. */
const WARM_UP = 20;

/** What a lane reports: times in epoch milliseconds, seconds of processor of the whole process. */
interface Marks {
  readonly outputs: number;
  readonly first: number;
  readonly last: number;
  readonly processorFirst: number;
  readonly processorLast: number;
}

/** Passes everything on, and reports when as metrics. */
export function metered(): Operator<Output, Output> {
  return {
    name: "metered",
    observes: NAME,
    open() {
      let marks: Marks | undefined;
      let seen = 0;
      return {
        process(output) {
          if (seen++ < WARM_UP) return [output];
          const last = performance.timeOrigin + performance.now(), processorLast = cpuSeconds();
          const { outputs, first, processorFirst } = marks ??
            { outputs: 0, first: last, processorFirst: processorLast };
          marks = { outputs: outputs + 1, first, last, processorFirst, processorLast };
          return [output];
        },
        observed() {
          const since = Object.entries(marks ?? {});
          marks = undefined;
          return since.map(([metric, total]) => ({
            metric,
            kind: metric === "outputs" ? "sum" : /first/i.test(metric) ? "min" : "max",
            total,
            count: 1,
          }));
        },
      };
    },
  };
}

/** Collects what the lanes of one query report. */
export class LaneMeter {
  readonly #lanes = new Map<number, Marks>();

  reported({ partition, observedMetrics }: StreamingQueryProgress): void {
    const now = observedMetrics[NAME] as Marks | undefined;
    if (now === undefined) return;
    const before = this.#lanes.get(partition) ?? { ...now, outputs: 0 };
    this.#lanes.set(partition, {
      outputs: before.outputs + now.outputs,
      first: Math.min(before.first, now.first),
      last: Math.max(before.last, now.last),
      processorFirst: Math.min(before.processorFirst, now.processorFirst),
      processorLast: Math.max(before.processorLast, now.processorLast),
    });
  }

  /** The rate of all lanes together. */
  rate(): Rate {
    const lanes = [...this.#lanes.values()];
    const outputs = lanes.reduce((sum, lane) => sum + lane.outputs - 1, 0);
    const processor = Math.max(...lanes.map((lane) => lane.processorLast)) -
      Math.min(...lanes.map((lane) => lane.processorFirst));
    return {
      rate: lanes.reduce(
        (sum, { outputs, first, last }) => sum + (outputs - 1) * 1000 / (last - first),
        0,
      ),
      ms: processor * 1000 / outputs,
    };
  }
}
