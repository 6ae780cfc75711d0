/**
 * The machine that figures were measured on.
 *
 * @module
 */
import { cpus } from "node:os";
import { KAFKA_VERSION } from "../../tools/kafka/kit.ts";

/** What a reader of figures wants to know. */
export interface Machine {
  readonly processor: string;
  readonly cores: number;
  readonly memoryGiB: number;
  readonly system: string;
  readonly deno: string;
  /** The broker; absent where none has a part in it. */
  readonly kafka?: string;
  /** `2026-01-31`. */
  readonly date: string;
  /** Processes that wanted a core, mean of the last minute, before the measurement. */
  readonly load: number;
}

/**
 * Looks at this machine.
 *
 * @param broker `ours`, `none`, or the address of another
 */
export async function thisMachine(broker: string): Promise<Machine> {
  return {
    processor: cpus()[0]?.model.trim() || Deno.build.arch,
    cores: navigator.hardwareConcurrency,
    memoryGiB: Math.round(Deno.systemMemoryInfo().total / 2 ** 30),
    system:
      `${field(await text("/etc/os-release"), /^PRETTY_NAME="?([^"\n]+)/m) ?? Deno.build.os}, ` +
      `kernel ${Deno.osRelease()}`,
    deno: Deno.version.deno,
    ...(broker === "none" ? {} : {
      kafka: broker === "ours" ? `Apache Kafka ${KAFKA_VERSION}, one node` : `broker ${broker}`,
    }),
    date: new Date().toISOString().slice(0, 10),
    load: Deno.loadavg()[0]!,
  };
}

/** The machine in one line. */
export function machineLine(
  { processor, cores, memoryGiB, system, deno, kafka, date, load }: Machine,
): string {
  return `${processor}, ${cores} cores, ${memoryGiB} GiB; ${system}; Deno ${deno}; ${
    kafka === undefined ? "" : `${kafka}; `
  }` +
    `${date}, load ${load.toFixed(2)} before`;
}

function field(text: string, pattern: RegExp): string | undefined {
  return pattern.exec(text)?.[1]?.trim();
}

/** A file of Linux's; empty elsewhere. */
async function text(path: string): Promise<string> {
  try {
    return await Deno.readTextFile(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return "";
    throw error;
  }
}
