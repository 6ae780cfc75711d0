/**
 * How long something takes, and what the processes use of the processor meanwhile.
 *
 * @module
 */
import { cpuSeconds, taskSeconds } from "../support/process_stats.ts";

/** What was used from the start of a meter to its stop. */
export interface Used {
  readonly seconds: number;
  /** Of this process; live, of both sides together. */
  readonly cpuSeconds: number;
  /** Of the broker, where it is ours. */
  readonly brokerSeconds?: number;
}

function brokerCpuSeconds(pid: number): number | undefined {
  return Deno.build.os === "linux" ? taskSeconds(`/proc/${pid}/stat`) : undefined;
}

/** Seconds, and what the processes used of the processor meanwhile. */
export class Meter {
  readonly #pid: number | undefined;
  readonly #broker: number | undefined;
  readonly #own: number;
  readonly #at: number;

  /** @param brokerPid process id of the broker, where it is ours. */
  constructor(brokerPid: number | undefined) {
    this.#pid = brokerPid;
    this.#broker = brokerPid === undefined ? undefined : brokerCpuSeconds(brokerPid);
    this.#own = cpuSeconds();
    this.#at = performance.now();
  }

  stop(): Used {
    const seconds = (performance.now() - this.#at) / 1000;
    const own = cpuSeconds() - this.#own;
    const broker = this.#broker === undefined ? undefined : brokerCpuSeconds(this.#pid!);
    return {
      seconds,
      cpuSeconds: own,
      ...(broker === undefined ? {} : { brokerSeconds: broker - this.#broker! }),
    };
  }
}
