// Starts a program as a child, where it cannot take the launcher's place.

/** Runs a program to its end and passes signals on. Gives its exit code. */
export async function startChild(
  program: string,
  args: readonly string[],
  faults: readonly string[] = [],
): Promise<number> {
  const child = new Deno.Command(program, {
    args: [...args],
    ...(faults.length === 0 ? {} : { env: { FRAMELANE_LAUNCH_FAULTS: JSON.stringify(faults) } }),
  }).spawn();
  for (
    const signal of Deno.build.os === "windows"
      ? ["SIGINT"] as const
      : ["SIGINT", "SIGTERM"] as const
  ) {
    // A terminal sends these to both; the command counts them.
    Deno.addSignalListener(signal, () => signal === "SIGTERM" && child.kill(signal));
  }
  return (await child.status).code;
}
