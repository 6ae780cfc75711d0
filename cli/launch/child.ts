// Starts the command as a child, where it cannot take the launcher's place.

/** Runs a program, passes signals on, and ends as it ends. */
export async function startChild(
  program: string,
  args: readonly string[],
  faults: readonly string[],
): Promise<never> {
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
  const { code } = await child.status;
  Deno.exit(code);
}
