// What this process used, as the system counts it.
import process from "node:process";

/** Processor seconds that this process and its threads have used, user and system. */
export function cpuSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

/** Milliseconds of processor that each of `count` things takes. */
export async function cost(count: number, run: () => unknown): Promise<number> {
  const before = cpuSeconds();
  await run();
  return (cpuSeconds() - before) * 1000 / count;
}

const TICKS_A_SECOND = 100;
const PAGE_BYTES = 4096;

/** The numbers of a `stat` below `/proc`; undefined when what it was of has ended. Linux only. */
function statOf(path: string): number[] | undefined {
  // Deno itself reads nothing there without all permissions.
  const { stdout, success } = new Deno.Command("cat", { args: [path], stderr: "null" })
    .outputSync();
  return success ? statFields(new TextDecoder().decode(stdout)) : undefined;
}

/** The numbers behind the name, which is in parentheses and may hold anything. */
function statFields(stat: string): number[] {
  return stat.slice(stat.lastIndexOf(")") + 2).split(" ").map(Number);
}

/** Processor seconds, user and system. */
export function secondsOf(fields: readonly number[]): number {
  return (fields[11]! + fields[12]!) / TICKS_A_SECOND;
}

/**
 * Processor seconds that a process or one thread has used, user and system.
 *
 * @param path its `stat` below `/proc`; 0 when it is gone.
 */
export function taskSeconds(path: string): number {
  const fields = statOf(path);
  return fields === undefined ? 0 : secondsOf(fields);
}

/** Processor seconds of those threads of a process that let all others go first; Linux only. */
export function politeSeconds(pid: number): number {
  const { stdout } = new Deno.Command("sh", {
    args: ["-c", 'cat "/proc/$0/task/"*/stat', String(pid)],
    stderr: "null", // of threads that ended meanwhile
  }).outputSync();
  const threads = new TextDecoder().decode(stdout).trim().split("\n").map(statFields);
  return threads.filter((fields) => fields[16]! > 0)
    .reduce((sum, fields) => sum + secondsOf(fields), 0);
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

export interface ProcessStats {
  readonly cpuSeconds: number;
  /** Pages that it was given so far without reading a disk. */
  readonly minorFaults: number;
  /** Resident memory, MiB. */
  readonly megabytes: number;
}

/**
 * Looks at a process by its id.
 *
 * @throws when it has ended.
 */
export function processStats(pid: number): ProcessStats {
  const fields = statOf(`/proc/${pid}/stat`);
  if (fields === undefined) throw new Error(`Cannot look at process ${pid}: it has ended`);
  return {
    cpuSeconds: secondsOf(fields),
    minorFaults: fields[7]!,
    megabytes: fields[21]! * PAGE_BYTES / 1024 / 1024,
  };
}
