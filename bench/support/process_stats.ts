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
