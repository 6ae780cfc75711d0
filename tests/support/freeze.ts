import { until } from "./until.ts";

/**
 * Holds a process (SIGSTOP), and waits until each of its threads is held: the signal stops one
 * thread at first, and on a busy machine the others go on meanwhile.
 */
export async function freeze(pid: number): Promise<void> {
  Deno.kill(pid, "SIGSTOP");
  const threads = new Deno.Command("ps", { args: ["-L", "-o", "s=", "-p", `${pid}`] });
  await until("all threads are stopped", async () => {
    const { stdout } = await threads.output();
    return /^(T\s+)+$/.test(new TextDecoder().decode(stdout));
  });
}
