// Tasks as the launcher starts them, or with other permissions than theirs.
import assert from "node:assert/strict";
import { type Launch, planLaunch } from "../../cli/launch/plan.ts";
import { commands } from "../../cli/registry.ts";
import project from "../../deno.json" with { type: "json" };
import { ROOT } from "../../tools/paths.ts";
import { kill } from "../support/processes.ts";
import { PATIENCE_MS } from "../support/until.ts";

/** All tasks, by name. */
export const tasks: Readonly<Record<string, string>> = project.tasks;
/** Those that are commands of Framelane. */
export const PRODUCT = Object.keys(commands);
/** Arguments of `deno run` that start the launcher, as every task has them. */
export const LAUNCHER = project.tasks.queries.split(" ").slice(2, -1);

/** What the launcher makes of a command line. */
export function launchOf(task: string, args: readonly string[]): Launch {
  return planLaunch([task, ...args], {
    base: ROOT,
    root: ROOT,
    environment: (name) => Deno.env.get(name),
  });
}

/** Deno's arguments for a command line, without one flag where one is named. */
export function denoArguments(task: string, args: readonly string[], without?: string): string[] {
  const { flags, faults } = launchOf(task, args);
  assert.deepEqual(faults, []);
  const fewer = flags.filter((flag) => flag.split("=")[0] !== without);
  if (without !== undefined) {
    assert.equal(fewer.length, flags.length - 1, `${task} has ${without} once`);
  }
  return [...fewer, "main.ts", task, ...args];
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
  /** The project's folder unless given. */
  readonly cwd?: string;
  readonly env?: Record<string, string>;
  /** It is ended as soon as it has said this. */
  readonly until?: RegExp;
  /** Called when it has said that, before it is ended. */
  readonly then?: (said: () => string) => Promise<void>;
}

/** Runs Deno to its end, or until it has said something. */
export async function run(
  args: readonly string[],
  { cwd = ROOT, env = {}, until, then = () => Promise.resolve() }: RunOptions = {},
): Promise<Ran> {
  const child = new Deno.Command(Deno.execPath(), {
    cwd,
    args: ["run", ...args],
    env: { NO_COLOR: "1", ...env },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const timer = setTimeout(() => kill(child), PATIENCE_MS);
  const { said, ended, heard } = listen(child, until);
  try {
    const first = await Promise.race([ended, heard]);
    if (first !== undefined) return { code: first.code, said: said() };
    await then(said);
    kill(child);
    await ended;
    return { said: said() };
  } finally {
    clearTimeout(timer);
  }
}

/** What a program prints on both its outputs, its end, and the moment when it has printed `until`. */
export function listen(child: Deno.ChildProcess, until?: RegExp) {
  let text = "";
  const heard = Promise.withResolvers<void>();
  const read = async (stream: ReadableStream<Uint8Array>) => {
    for await (const piece of stream.pipeThrough(new TextDecoderStream())) {
      text += piece;
      if (until?.test(text)) heard.resolve();
    }
  };
  const ended = Promise.all([child.status, read(child.stdout), read(child.stderr)])
    .then(([status]) => status);
  return { said: () => text, ended, heard: heard.promise };
}
