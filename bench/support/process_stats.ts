/**
 * What this process used, as the system counts it.
 *
 * @module
 */
import process from "node:process";

/** Processor seconds that this process and its threads have used, user and system. */
export function cpuSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

/** Linux counts in hundredths of a second for programs. */
const TICKS_PER_SECOND = 100;

/**
 * The same of another process of this machine; undefined where the system does not tell. Deno reads
 * nothing below `/proc` without all permissions, `cat` does.
 */
export function processCpuSeconds(pid: number): number | undefined {
  if (Deno.build.os !== "linux") return undefined;
  const { success, stdout } = new Deno.Command("cat", { args: [`/proc/${pid}/stat`] }).outputSync();
  if (!success) return undefined;
  const stat = new TextDecoder().decode(stdout);
  // The name of the program stands in brackets and may hold anything.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

/** Watches how much memory is resident; `stop` says the most that was, in MiB. */
export function watchMemory(intervalMs = 50): { stop(): number } {
  let most = 0;
  const look = () => void (most = Math.max(most, Deno.memoryUsage().rss));
  const timer = setInterval(look, intervalMs);
  look();
  return {
    stop() {
      clearInterval(timer);
      look();
      return most / 1024 / 1024;
    },
  };
}
