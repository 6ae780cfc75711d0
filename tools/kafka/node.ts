// One node of Kafka: a process of this machine.
import { join } from "node:path";
import { ifThere } from "../../runtime/base/folders.ts";
import { UTF8_PATHS } from "../run.ts";
import { brokersSeenFrom } from "./probe.ts";

/** Java or Maven is missing, or the jars cannot be fetched. The message says what to do. */
export class KitError extends Error {
  override readonly name = "KitError";
}

export interface NodeParts {
  readonly classpath: string;
  /** Java's archive of loaded classes. */
  readonly archive?: string;
  /** The first record of an empty cluster, as Kafka's storage tool writes it. */
  readonly bootstrap?: string;
}

export interface NodeProcess {
  readonly pid: number;
  /** Its exit code, once it has ended. */
  readonly ended: Promise<number>;
  /** Its standard error and output: useful only when it dies before its log begins. */
  readonly output: Promise<string>;
  kill(signal: "SIGTERM" | "SIGKILL"): void;
}

/** Java's switches that matter for a broker beside other programs on a small machine. */
function jvm(parts: NodeParts, dir: string): string[] {
  return [
    // Concurrent collectors would take a core from the codecs; a broker's heap is small.
    "-XX:+UseSerialGC",
    "-XX:+ExitOnOutOfMemoryError",
    "-Xlog:disable",
    "-Djava.awt.headless=true",
    `-Dlog4j2.configurationFile=${join(dir, "log4j2.properties")}`,
    ...(parts.archive === undefined ? [] : [`-XX:SharedArchiveFile=${parts.archive}`]),
    "-cp",
    parts.classpath,
  ];
}

/** A shell that becomes Java, and kills it once its starter has ended, which closes the pipe. */
const JAVA = `exec 3<&0; (cat <&3; kill -9 $$) >/dev/null 2>&1 & exec java "$@" 3<&- </dev/null`;
const [program, ...first] = Deno.build.os === "windows"
  ? ["java"] as const
  : ["sh", "-c", JAVA, "java"] as const;

/** Starts the node that `dir` describes (`server.properties`, `log4j2.properties`). */
export function runNode(
  parts: NodeParts,
  dir: string,
  flags: readonly string[],
  main = "kafka.Kafka",
): NodeProcess {
  const child = new Deno.Command(program, {
    args: [...first, ...flags, ...jvm(parts, dir), main, join(dir, "server.properties")],
    env: UTF8_PATHS,
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  let running = true;
  const ended = child.status.then(async ({ code }) => {
    running = false;
    await child.stdin.close();
    return code;
  });
  return {
    pid: child.pid,
    ended,
    output: Promise.all([tail(child.stderr), tail(child.stdout)]).then((texts) => texts.join("")),
    kill(signal) {
      if (running) child.kill(signal);
    },
  };
}

/**
 * Formats the storage of the node that `dir` describes, with Kafka's own tool.
 *
 * @throws {Error} with what the tool says.
 */
export async function runFormat(
  { classpath }: NodeParts,
  dir: string,
  clusterId: string,
  flags: readonly string[] = [],
): Promise<void> {
  const { success, stdout, stderr } = await new Deno.Command("java", {
    args: [
      ...["-XX:TieredStopAtLevel=1", ...jvm({ classpath }, dir), "kafka.tools.StorageTool"],
      ...["format", "--cluster-id", clusterId, "--config", join(dir, "server.properties")],
      ...flags,
    ],
    env: UTF8_PATHS,
    stdin: "null",
  }).output();
  if (success) return;
  const text = new TextDecoder();
  const output = (text.decode(stdout) + text.decode(stderr)).trim();
  throw new KitError(`Cannot format Kafka's storage for ${dir}: ${output}`);
}

/** About the last 4 kB of a stream. */
async function tail(stream: ReadableStream<Uint8Array>): Promise<string> {
  let text = "";
  for await (const part of stream.pipeThrough(new TextDecoderStream())) {
    text = (text + part).slice(-4_096);
  }
  return text;
}

/** One node, which can be stopped, killed and started again. */
export class KafkaNode {
  readonly id: number;
  /** Where its clients connect: `127.0.0.1:port`. */
  readonly address: string;
  /** Kafka's own log. */
  readonly logFile: string;
  readonly #parts: NodeParts;
  readonly #dir: string;
  readonly #flags: readonly string[];
  readonly #probePort: number;
  readonly #timeoutMs: number;
  #process: NodeProcess | undefined;

  constructor(
    parts: NodeParts,
    of: {
      id: number;
      port: number;
      /** The port that is probed; `port` by default. */
      probePort?: number;
      dir: string;
      /** For Java. */
      flags: readonly string[];
      /** How long a start may take, milliseconds. */
      timeoutMs?: number;
    },
  ) {
    this.id = of.id;
    this.address = `127.0.0.1:${of.port}`;
    this.logFile = join(of.dir, "broker.log");
    this.#parts = parts;
    this.#dir = of.dir;
    this.#flags = of.flags;
    this.#timeoutMs = of.timeoutMs ?? 180_000;
    this.#probePort = of.probePort ?? of.port;
  }

  /** Of the current process, or the last one. */
  get pid(): number {
    return this.#process?.pid ?? 0;
  }

  /** Resolves with the exit code when the current process ends. */
  get ended(): Promise<number> {
    return this.#process?.ended ?? Promise.resolve(0);
  }

  /** Starts it, on the same ports and data as before, and waits until it answers. */
  async start(): Promise<void> {
    const process = runNode(this.#parts, this.#dir, this.#flags);
    this.#process = process;
    let code: number | undefined;
    process.ended.then((ended) => code = ended);
    const deadline = performance.now() + this.#timeoutMs;
    while (await brokersSeenFrom(this.#probePort) === 0) {
      if (code !== undefined) {
        throw new KitError(
          `Cannot start Kafka: it ended with ${code}: ${await this.#reason(process)}`,
        );
      }
      if (performance.now() > deadline) {
        await this.kill();
        throw new KitError(
          `Cannot start Kafka: no answer on ${this.address} after ${this.#timeoutMs} ms: ${await this
            .#reason(process)}`,
        );
      }
      await new Promise((next) => setTimeout(next, 20));
    }
  }

  async #reason(process: NodeProcess): Promise<string> {
    const log = await ifThere(Deno.readTextFile(this.logFile));
    const lines = (log || await process.output).split("\n");
    const telling = lines.filter((line) => /ERROR|FATAL|Exception/.test(line));
    return `${(telling.at(-1) ?? lines.at(-2) ?? "no reason given").trim()} (see ${this.logFile})`;
  }

  /** Shuts it down cleanly. */
  async stop(): Promise<void> {
    this.#process?.kill("SIGTERM");
    await this.#gone();
  }

  /** Ends it at once, as a crash would. */
  async kill(): Promise<void> {
    this.#process?.kill("SIGKILL");
    await this.#gone();
  }

  async #gone(): Promise<void> {
    await this.#process?.ended;
    await this.#process?.output;
  }
}
