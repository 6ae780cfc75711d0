// Signals to a process, and what the system says of it. Deno lets only processes with all permissions look into `/proc`.

/** Sends a signal to a process, unless it has ended by itself. */
export function kill(child: Deno.ChildProcess, signal: Deno.Signal = "SIGKILL"): void {
  try {
    child.kill(signal);
  } catch (error) {
    if (!(error instanceof TypeError || error instanceof Deno.errors.NotFound)) throw error;
  }
}

/** Resident memory of a process, MiB. */
export async function residentMiB(pid: number): Promise<number> {
  return Number(await output("ps", ["-o", "rss=", "-p", String(pid)])) / 1024;
}

/** The most that a process ever had of resident memory, MiB. */
export async function peakMiB(pid: number): Promise<number> {
  const line = await output("grep", ["VmHWM", `/proc/${pid}/status`]);
  return Number(/\d+/.exec(line)![0]) / 1024;
}

/** Open file descriptors of a process. */
export async function openHandles(pid: number): Promise<number> {
  return (await output("ls", [`/proc/${pid}/fd`])).trim().split("\n").length;
}

async function output(command: string, args: string[]): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(command, { args }).output();
  if (!success) {
    throw new Error(`Cannot run ${command} ${args.join(" ")}: ${new TextDecoder().decode(stderr)}`);
  }
  return new TextDecoder().decode(stdout);
}
