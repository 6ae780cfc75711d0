/**
 * Starting other programs.
 *
 * @module
 */

/** How a program ended. */
export interface Ended {
  readonly code: number;
  /** Standard output and standard error, in that order. */
  readonly output: string;
}

/**
 * Runs a program to its end and keeps what it says.
 *
 * @returns undefined when there is no such program.
 */
export async function run(
  program: string,
  args: readonly string[],
  { cwd, env }: { cwd?: string; env?: Record<string, string> } = {},
): Promise<Ended | undefined> {
  try {
    const { code, stdout, stderr } = await new Deno.Command(program, {
      args: [...args],
      stdin: "null",
      ...(cwd === undefined ? {} : { cwd }),
      ...(env === undefined ? {} : { env }),
    }).output();
    const decoder = new TextDecoder();
    return { code, output: decoder.decode(stdout) + decoder.decode(stderr) };
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

/** Runs a program to its end; what it says is shown as it comes. */
export async function show(
  program: string,
  args: readonly string[],
  { env }: { env?: Record<string, string> } = {},
): Promise<number> {
  const child = new Deno.Command(program, {
    args: [...args],
    stdin: "null",
    stdout: "inherit",
    stderr: "inherit",
    ...(env === undefined ? {} : { env }),
  }).spawn();
  return (await child.status).code;
}
