/**
 * What this process used, as the system counts it.
 *
 * @module
 */
import process from "node:process";

const TICKS_A_SECOND = 100;

/** Processor seconds that this process and its threads have used, user and system. */
export function cpuSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

/**
 * Processor seconds that a process or one thread has used, user and system.
 *
 * @param path its `stat` below `/proc`; 0 when it is gone.
 */
export function taskSeconds(path: string): number {
  // Deno itself lets nobody without all permissions look there.
  const { stdout, success } = new Deno.Command("cat", { args: [path], stderr: "null" })
    .outputSync();
  if (!success) return 0;
  const text = new TextDecoder().decode(stdout);
  // The name, in parentheses, may hold spaces.
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) / TICKS_A_SECOND;
}

/** Processor seconds of those threads of a process that let all others go first; Linux only. */
export function politeSeconds(pid: number): number {
  const { stdout } = new Deno.Command("sh", {
    args: ["-c", 'cat "/proc/$0/task/"*/stat', String(pid)],
    stderr: "null", // of threads that ended meanwhile
  }).outputSync();
  let ticks = 0;
  for (const line of new TextDecoder().decode(stdout).split("\n")) {
    const fields = line.slice(line.lastIndexOf(")") + 2).split(" ").map(Number);
    if (fields[16]! > 0) ticks += fields[11]! + fields[12]!;
  }
  return ticks / TICKS_A_SECOND;
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

/** What the system says of a process. */
export interface ProcessStats {
  readonly cpuSeconds: number;
  /** Pages that it was given so far without reading a disk. */
  readonly minorFaults: number;
  /** Resident memory, MiB. */
  readonly megabytes: number;
}

const PAGE_BYTES = 4096;

/** Looks at a process by its id; Linux only. Another program reads it: Deno keeps `/proc` closed. */
export function processStats(pid: number): ProcessStats {
  const { success, stdout } = new Deno.Command("cat", {
    args: [`/proc/${pid}/stat`],
    stderr: "null",
  }).outputSync();
  if (!success) throw new Error(`Cannot look at process ${pid}: it has ended`);
  const text = new TextDecoder().decode(stdout);
  // Behind the name, which may hold anything.
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ").map(Number);
  return {
    cpuSeconds: (fields[11]! + fields[12]!) / TICKS_A_SECOND,
    minorFaults: fields[7]!,
    megabytes: fields[21]! * PAGE_BYTES / 1024 / 1024,
  };
}
