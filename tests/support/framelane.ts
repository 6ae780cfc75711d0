// Framelane as users run it: processes of their own, seen through their output.
import { fileURLToPath } from "node:url";
import type { QueryErrorEvent } from "../../runtime/driver/manager.ts";
import type { StreamingQueryProgress } from "../../runtime/definition/progress.ts";
import { freeze } from "./freeze.ts";
import { kill } from "./processes.ts";
import { PATIENCE_MS } from "./until.ts";

/** The folder of the project, with a slash at its end. */
export const ROOT = fileURLToPath(new URL("../../", import.meta.url));

const PERMISSIONS = [
  "--no-prompt",
  "--allow-read",
  "--allow-write",
  "--allow-net",
  "--allow-env",
  "--allow-ffi",
  "--allow-sys",
  // As the tasks have it.
  "--v8-flags=--max-semi-space-size=4",
];

/** The arguments with which Deno runs a command of Framelane. */
export function denoArguments(
  args: readonly string[],
  permissions: readonly string[] = [],
): string[] {
  return ["run", ...PERMISSIONS, ...permissions, `${ROOT}main.ts`, ...args];
}

/** One line that a command printed with `--json`. */
export type JsonLine =
  | { type: "progress"; progress: StreamingQueryProgress }
  | {
    type: "summary";
    query: string;
    frames: number;
    outputs: number;
    dropped: number;
    deadLettered: number;
    seconds: number;
    published?: number;
  }
  | ({ type: "error" } & QueryErrorEvent);

/** How to start a command. */
export interface ProcessOptions {
  readonly env?: Record<string, string>;
  readonly cwd?: string;
  /** A command that runs it, such as `ip netns exec NAME`. */
  readonly within?: readonly string[];
  /** Permissions beyond those that every command gets. */
  readonly permissions?: readonly string[];
}

/** A command of Framelane at work. */
export class FramelaneProcess {
  readonly pid: number;
  readonly lines: JsonLine[] = [];
  readonly said: string[] = [];
  /** Lines on standard output that are no JSON, of a command with `--json`. */
  readonly #strays: string[] = [];
  readonly #child: Deno.ChildProcess;
  readonly #streams: Promise<unknown>;
  readonly #waiting = new Set<() => void>();
  #ended = false;

  /** Starts `main.ts` with these arguments. */
  constructor(
    args: readonly string[],
    options: ProcessOptions = {},
  ) {
    const command = [
      ...options.within ?? [],
      ...[Deno.execPath(), ...denoArguments(args, options.permissions)],
    ];
    this.#child = new Deno.Command(command[0]!, {
      args: command.slice(1),
      cwd: options.cwd ?? ROOT,
      env: { ...options.env, NO_COLOR: "1" },
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    this.pid = this.#child.pid;
    this.#streams = Promise.all([
      this.#read(this.#child.stdout, (line) => {
        if (line.startsWith("{")) this.lines.push(JSON.parse(line));
        else this.said.push(line);
        if (args.includes("--json") && !line.startsWith("{")) this.#strays.push(line);
      }),
      this.#read(this.#child.stderr, (line) => this.said.push(line)),
    ]).finally(() => {
      this.#ended = true;
      this.#wake();
    });
  }

  /** Waits until the condition is true; fails with all output when the process ends first. */
  async until(
    what: string,
    condition: (process: this) => boolean,
    timeoutMs = PATIENCE_MS,
  ): Promise<void> {
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      this.#wake();
    }, timeoutMs);
    try {
      while (!condition(this)) {
        if (this.#ended || late) throw new Error(`Waited for ${what} in vain:\n${this.output()}`);
        await new Promise<void>((resolve) => this.#waiting.add(resolve));
      }
    } finally {
      clearTimeout(timer);
    }
  }

  /** Progress of a partition, newest last. */
  progress(partition: number): StreamingQueryProgress[] {
    return this.lines.flatMap((line) =>
      line.type === "progress" && line.progress.partition === partition ? [line.progress] : []
    );
  }

  get summaries(): (JsonLine & { type: "summary" })[] {
    return this.lines.filter((line) => line.type === "summary");
  }

  signal(signal: Deno.Signal): void {
    this.#child.kill(signal);
  }

  freeze(): Promise<void> {
    return freeze(this.#child.pid);
  }

  /** Waits for the end by itself; with `--json` standard output must hold nothing but JSON. */
  async ended(): Promise<number> {
    const { code } = await this.#child.status;
    await this.#streams;
    if (this.#strays.length > 0) {
      throw new Error(`Expected JSON on standard output:\n${this.#strays.join("\n")}`);
    }
    return code;
  }

  /** Whether it has ended and all its output is read. */
  get hasEnded(): boolean {
    return this.#ended;
  }

  /** Ends it as Ctrl-C does. */
  async stop(): Promise<number> {
    kill(this.#child, "SIGINT");
    return await this.ended();
  }

  /** Ends it at once; nothing happens when it has ended by itself. */
  async kill(): Promise<void> {
    kill(this.#child);
    await this.ended();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
  }

  output(): string {
    return [...this.said, ...this.lines.slice(-5).map((line) => JSON.stringify(line))].join("\n");
  }

  async #read(stream: ReadableStream<Uint8Array>, take: (line: string) => void): Promise<void> {
    let rest = "";
    for await (const text of stream.pipeThrough(new TextDecoderStream())) {
      const lines = (rest + text).split("\n");
      rest = lines.pop()!;
      for (const line of lines) if (line !== "") take(line);
      this.#wake();
    }
    if (rest !== "") take(rest);
  }

  #wake(): void {
    for (const wake of this.#waiting) wake();
    this.#waiting.clear();
  }
}

/** Runs a command to its end. */
export async function framelane(
  args: readonly string[],
  options: ProcessOptions = {},
): Promise<{ code: number; process: FramelaneProcess }> {
  const process = new FramelaneProcess(args, options);
  return { code: await process.ended(), process };
}
