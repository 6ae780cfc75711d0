// Runs other programs.
import { given } from "../runtime/base/options.ts";
import { Semaphore } from "../runtime/base/wait.ts";

/** Without a locale, as in most containers, Java refuses paths with letters that ASCII lacks. */
export const UTF8_PATHS = { LC_ALL: "C.UTF-8" };

interface Ended {
  readonly code: number;
  readonly stdout: string;
  /** Standard output and standard error, in that order. */
  readonly output: string;
}

/**
 * Runs a program to its end and returns its output.
 *
 * @returns undefined if the program does not exist.
 */
export async function run(
  program: string,
  args: readonly string[],
  { cwd, env = {} }: { cwd?: string; env?: Record<string, string> } = {},
): Promise<Ended | undefined> {
  try {
    const { code, stdout, stderr } = await new Deno.Command(program, {
      args: [...args],
      stdin: "null",
      env: { ...UTF8_PATHS, ...env },
      ...given({ cwd }),
    }).output();
    const decoder = new TextDecoder();
    const text = decoder.decode(stdout);
    return { code, stdout: text, output: text + decoder.decode(stderr) };
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

/** How many programs the gate runs in parallel. */
export const AT_ONCE = Math.min(2, navigator.hardwareConcurrency);

/** Runs `work` for each item, a few at a time. Results are in the order of the items. */
export async function inParallel<Item, Result>(
  items: readonly Item[],
  atOnce: number,
  work: (item: Item) => Promise<Result>,
): Promise<Result[]> {
  const turns = new Semaphore(atOnce);
  return await Promise.all(items.map((item) => turns.run(() => work(item))));
}
