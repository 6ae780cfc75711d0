// What the contract suite of the log needs on every implementation: how to open it, and how to wait.
import assert from "node:assert/strict";
import { systemClock } from "../../runtime/base/clock.ts";
import type { Frame } from "../../runtime/definition/frame.ts";
import {
  type Assignment,
  type BatchCommitter,
  type CommitterOptions,
  type GroupMember,
  type GroupOptions,
  LogError,
  type LogErrorCode,
  type LogRecord,
  type Membership,
  type PartitionReader,
  type TopicLog,
} from "../../runtime/log/log.ts";
import { kill } from "../support/processes.ts";
import { PATIENCE_MS } from "../support/until.ts";

/** A log that a contract test may use as it likes. */
export interface LogUnderTest {
  readonly log: TopicLog;
  /** Opens the same log once more, as another process would. `cleanup` closes it. */
  reopen(): Promise<TopicLog>;
  /** Lets the records below offset `before` expire, as retention does. */
  expire(topic: string, partition: number, before: number): Promise<void>;
  /** Closes everything; removes what the test left. */
  cleanup(): Promise<void>;
}

/** How the suite reaches one implementation. */
export interface LogContract {
  open(t: Deno.TestContext): Promise<LogUnderTest>;
  /** Permission flags of a child process that opens the log by the URL of `log.url`. */
  readonly childFlags: (log: TopicLog) => readonly string[];
  /** The shortest session timeout that the log accepts, at most 6 000. */
  readonly sessionTimeoutMs: number;
  /** A value of this many bytes is `TOO_LARGE`. */
  readonly tooLargeBytes: number;
}

/** Registers one obligation: opens a log, runs the test, cleans up. */
export type Obligation = (
  name: string,
  test: (underTest: LogUnderTest, contract: LogContract) => Promise<void>,
) => void;

/** A name that no other test uses. */
export function unique(prefix: string): string {
  return `${prefix}-${crypto.randomUUID().slice(0, 13)}`;
}

export const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);
export const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

/** A record whose value is its text. */
export function record(value: string | Uint8Array, fields: Partial<LogRecord> = {}): LogRecord {
  return {
    key: "CAMERA-1",
    value: typeof value === "string" ? utf8(value) : value,
    timestamp: Date.now(),
    headers: {},
    ...fields,
  };
}

/** `count` records with the values `prefix0`, `prefix1`, … */
export function records(count: number, prefix = "v"): LogRecord[] {
  return Array.from({ length: count }, (_, i) => record(`${prefix}${i}`));
}

/** Runs `action` with a signal that aborts when it takes too long. */
export async function within<T>(
  what: string,
  action: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const controller = new AbortController();
  const timer = setTimeout(
    () => controller.abort(new Error(`Waited in vain: ${what}`)),
    PATIENCE_MS,
  );
  try {
    return await action(controller.signal);
  } finally {
    clearTimeout(timer);
  }
}

/** Polls until `condition` returns something true. */
export function eventually<T>(
  what: string,
  condition: () => T | Promise<T>,
): Promise<T> {
  return within(what, async (signal) => {
    for (;;) {
      const value = await condition();
      if (value) return value;
      await systemClock.sleep(5, signal);
    }
  });
}

/** Reads exactly `count` frames. */
export function take(reader: PartitionReader, count: number, max = count): Promise<Frame[]> {
  return within(`${count} frames`, async (signal) => {
    const frames: Frame[] = [];
    while (frames.length < count) {
      const got = await reader.read(Math.min(max, count - frames.length), signal);
      assert.ok(got.length >= 1 && got.length <= max, `read(${max}) returned ${got.length} frames`);
      frames.push(...got);
    }
    return frames;
  });
}

/** Reads a whole partition from its start. */
export async function readAll(log: TopicLog, topic: string, partition: number): Promise<Frame[]> {
  const { earliest, latest } = await log.offsets(topic, partition);
  const reader = await log.reader();
  try {
    const partitionReader = await reader.open(topic, partition, earliest);
    const frames: Frame[] = [];
    for (;;) {
      const got = await within("frames", (signal) => partitionReader.read(256, signal, latest));
      if (got.length === 0) break;
      frames.push(...got);
    }
    return frames;
  } finally {
    await reader.close();
  }
}

/** Appends the records through a producer of its own. */
export async function append(
  log: TopicLog,
  topic: string,
  partition: number,
  batch: readonly LogRecord[],
): Promise<number> {
  const producer = await log.producer();
  try {
    return await producer.append(topic, partition, batch);
  } finally {
    await producer.close();
  }
}

/** Asserts that the promise rejects with a `LogError` of this code, whose message is a sentence of ours. */
export async function rejectsWith(
  code: LogErrorCode,
  action: () => Promise<unknown>,
): Promise<LogError> {
  try {
    await action();
  } catch (error) {
    assert.ok(error instanceof LogError, `Expected a LogError, got ${error}`);
    assert.equal(error.code, code, error.message);
    assert.match(
      error.message,
      /^[A-Z].*[^.\s]$/s,
      "Messages start with a capital, end without period",
    );
    return error;
  }
  assert.fail(`Expected a LogError with code ${code}, got none`);
}

/** Asserts that offsets only grow. */
export function assertGrowing(frames: readonly Frame[]): void {
  for (let i = 1; i < frames.length; i++) {
    assert.ok(frames[i]!.offset > frames[i - 1]!.offset, "Offsets only grow");
  }
}

/** A member of a group that remembers what it was given. */
export interface ObservedMember {
  readonly member: GroupMember;
  /** The partitions held now, ascending; undefined before the first assignment. */
  held(): readonly number[] | undefined;
  membership(): Membership;
  readonly history: readonly Assignment[];
  readonly errors: readonly LogError[];
}

/** Joins a group. `onChange` runs inside of onAssignment. */
export async function join(
  log: TopicLog,
  options: Omit<GroupOptions, "onAssignment">,
  onChange: (assignment: Assignment) => Promise<void> = () => Promise.resolve(),
): Promise<ObservedMember> {
  const history: Assignment[] = [];
  const errors: LogError[] = [];
  const member = await log.joinGroup({
    ...options,
    onAssignment: async (assignment) => {
      await onChange(assignment);
      history.push(assignment);
    },
    onError: (error) => errors.push(error),
  });
  return {
    member,
    history,
    errors,
    held: () => history.at(-1)?.partitions.toSorted((a, b) => a - b),
    membership: () => history.at(-1)!.membership,
  };
}

/** Options of a committer that no other test uses. */
export function committerNames(): CommitterOptions {
  return { group: unique("group"), query: "greyscale", topic: unique("source"), partition: 0 };
}

/** A batch of a source partition. */
export const batch = (batchId: number, start: number, end: number) => ({ batchId, start, end });

/** Opens a committer, runs `action`, closes it. */
export async function withCommitter<T>(
  log: TopicLog,
  options: CommitterOptions,
  action: (committer: BatchCommitter) => Promise<T>,
): Promise<T> {
  const committer = await log.committer(options);
  try {
    return await action(committer);
  } finally {
    await committer.close();
  }
}

/** A child process that runs `log_contract_child.ts`; it prints one JSON object a line. */
export class LogChild {
  readonly #process: Deno.ChildProcess;
  readonly #lines: ReadableStreamDefaultReader<string>;
  #ended = false;

  constructor(flags: readonly string[], args: readonly string[]) {
    this.#process = new Deno.Command(Deno.execPath(), {
      args: ["run", "--no-prompt", "--unstable-kv", ...flags, childProgram, ...args],
      stdin: "piped",
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
    let rest = "";
    this.#lines = this.#process.stdout.pipeThrough(new TextDecoderStream()).pipeThrough(
      new TransformStream<string, string>({
        transform(chunk, controller) {
          const parts = (rest + chunk).split("\n");
          rest = parts.pop()!;
          for (const part of parts) controller.enqueue(part);
        },
      }),
    ).getReader();
  }

  /** The next object that the child prints. */
  async next(): Promise<Record<string, unknown>> {
    const { value, done } = await within("a line of the child process", (signal) =>
      Promise.race([
        this.#lines.read(),
        new Promise<never>((_, reject) =>
          signal.addEventListener("abort", () => reject(signal.reason))
        ),
      ]));
    if (done) throw new Error("The child process ended without an answer");
    return JSON.parse(value);
  }

  /** Prints a line into the child. */
  async tell(line: string): Promise<void> {
    const writer = this.#process.stdin.getWriter();
    try {
      await writer.write(utf8(line + "\n"));
    } finally {
      writer.releaseLock();
    }
  }

  kill(signal: Deno.Signal): void {
    this.#process.kill(signal);
  }

  /** Ends the child, by force when it is still there, and frees its pipes. */
  async end(): Promise<void> {
    if (this.#ended) return;
    this.#ended = true;
    await this.#process.stdin.close().catch((error) => {
      // A killed child leaves a broken pipe; anything else is a fault of the test.
      if (!(error instanceof Deno.errors.BrokenPipe)) throw error;
    });
    kill(this.#process);
    await this.#lines.cancel();
    await this.#process.status;
  }

  /** Waits for the child to end by itself. */
  async ended(): Promise<Deno.CommandStatus> {
    const status = await this.#process.status;
    await this.end();
    return status;
  }
}

const childProgram = `${import.meta.dirname}/log_contract_child.ts`;
