// What the system says of a process. Deno lets only processes with all permissions look into `/proc`.

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
