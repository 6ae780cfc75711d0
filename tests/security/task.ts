/**
 * Tasks of `deno.json` as they are, or with other flags than theirs.
 *
 * @module
 */
import assert from "node:assert/strict";
import { commands } from "../../cli/registry.ts";
import project from "../../deno.json" with { type: "json" };
import { ROOT } from "../../tools/paths.ts";

/** All tasks, by name. */
export const tasks: Readonly<Record<string, string>> = project.tasks;
/** Those that are commands of Framelane. */
export const PRODUCT = Object.keys(commands);

/** The flags of a task's `deno run`, and what follows them. */
export function partsOf(task: string): { flags: string[]; rest: string[] } {
  const [deno, run, ...words] = tasks[task]!.split(" ");
  assert.deepEqual([deno, run], ["deno", "run"], task);
  const flags = words.filter((word) => word.startsWith("--"));
  return { flags, rest: words.filter((word) => !word.startsWith("--")) };
}

/** The task's flags but one, named without its value. */
export function flagsWithout(task: string, flag: string): string[] {
  const { flags } = partsOf(task);
  const fewer = flags.filter((one) => one.split("=")[0] !== flag);
  assert.equal(fewer.length, flags.length - 1, `${task} has ${flag} once`);
  return fewer;
}

/** What became of a program. */
export interface Ran {
  /** Absent when it was ended from here. */
  readonly code?: number;
  /** All that it said. */
  readonly said: string;
}

/** How to run a program. */
export interface RunOptions {
  readonly env?: Record<string, string>;
  /** It is ended as soon as it has said this. */
  readonly until?: RegExp;
  /** Called when it has said that, before it is ended. */
  readonly then?: (said: string) => Promise<void>;
}

const TIMEOUT_MS = 20_000;

/** Runs Deno from the project's folder to its end, or until it has said something. */
export async function run(
  args: readonly string[],
  { env = {}, until, then = () => Promise.resolve() }: RunOptions = {},
): Promise<Ran> {
  const child = new Deno.Command(Deno.execPath(), {
    cwd: ROOT,
    args: ["run", ...args],
    env: { ...env, NO_COLOR: "1" },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const timer = setTimeout(() => kill(child), TIMEOUT_MS);
  let said = "";
  const heard = Promise.withResolvers<void>();
  const read = async (stream: ReadableStream<Uint8Array>) => {
    for await (const text of stream.pipeThrough(new TextDecoderStream())) {
      said += text;
      if (until?.test(said)) heard.resolve();
    }
  };
  const ended = Promise.all([read(child.stdout), read(child.stderr), child.status]);
  try {
    const first = await Promise.race([ended, heard.promise]);
    if (first !== undefined) return { code: first[2].code, said };
    await then(said);
    kill(child);
    await ended;
    return { said };
  } finally {
    clearTimeout(timer);
  }
}

/** Ends a process, unless it ended by itself in the meantime. */
function kill(child: Deno.ChildProcess): void {
  try {
    child.kill("SIGKILL");
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
  }
}
