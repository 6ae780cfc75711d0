// How much work something is, whatever else the machine has to do.
import process from "node:process";

/** Milliseconds of a core that synchronous work takes. */
export function coreMsOf(work: () => void): number {
  const before = process.cpuUsage();
  work();
  return process.cpuUsage(before).user / 1000;
}
