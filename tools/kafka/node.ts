// One node of Kafka: a process of this machine.
import { join } from "node:path";
import { exists, ifThere } from "../../runtime/base/folders.ts";
import { UTF8_PATHS } from "../run.ts";
import { brokersSeenFrom } from "./probe.ts";
import { log4jProperties, type Properties, render, serverProperties } from "./properties.ts";

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

/** Runs what `dir` describes (`server.properties`, `log4j2.properties`) in a Java of its own. */
export function runJava(parts: NodeParts, dir: string, flags: readonly string[], main: string) {
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
  const output = Promise.all([tail(child.stderr), tail(child.stdout)])
    .then((texts) => texts.join(""));
  return {
    pid: child.pid,
    /** Its exit code, once it has ended. */
    ended,
    /** Its standard error and output: useful only when it dies before its log begins. */
    output,
    async end(signal: "SIGTERM" | "SIGKILL"): Promise<void> {
      if (running) child.kill(signal);
      await ended;
      await output;
    },
  };
}

/** About the last 4 kB of a stream. */
async function tail(stream: ReadableStream<Uint8Array>): Promise<string> {
  let text = "";
  for await (const part of stream.pipeThrough(new TextDecoderStream())) {
    text = (text + part).slice(-4_096);
  }
  return text;
}

/** 16 random bytes as Kafka writes its ids; none of them begins like a command line flag. */
export function randomId(): string {
  const id = crypto.getRandomValues(new Uint8Array(16))
    .toBase64({ alphabet: "base64url", omitPadding: true });
  return id.startsWith("-") ? randomId() : id;
}

interface NodePlace {
  readonly id: number;
  readonly port: number;
  /** The port that is probed; `port` by default. */
  readonly probePort?: number;
  readonly dir: string;
  /** For Java. */
  readonly flags: readonly string[];
  /** How long a start may take, milliseconds. */
  readonly timeoutMs?: number;
}

/** One node, which can be stopped, killed and started again. */
export class KafkaNode {
  readonly id: number;
  /** Where its clients connect: `127.0.0.1:port`. */
  readonly address: string;
  /** Kafka's own log. */
  readonly logFile: string;
  readonly #parts: NodeParts;
  readonly #place: NodePlace;
  #process: ReturnType<typeof runJava> | undefined;

  constructor(parts: NodeParts, place: NodePlace) {
    this.id = place.id;
    this.address = `127.0.0.1:${place.port}`;
    this.logFile = join(place.dir, "broker.log");
    this.#parts = parts;
    this.#place = place;
  }

  /** Of the current process, or the last one. */
  get pid(): number {
    return this.#process?.pid ?? 0;
  }

  /** Resolves with the exit code when the current process ends. */
  get ended(): Promise<number> {
    return this.#process?.ended ?? Promise.resolve(0);
  }

  /**
   * Writes its configuration.
   *
   * @param controller its port as controller
   * @param properties override `server.properties`
   */
  async configure(controller: number, properties: Properties = {}): Promise<void> {
    const { dir, port } = this.#place;
    await Deno.mkdir(dir, { recursive: true });
    const place = { port, controller, dataDir: join(dir, "data") };
    await Deno.writeTextFile(
      join(dir, "server.properties"),
      render({ ...serverProperties(place), ...properties }),
    );
    await Deno.writeTextFile(join(dir, "log4j2.properties"), log4jProperties(this.logFile));
  }

  /**
   * Prepares an empty data folder as Kafka's storage tool does; leaves a used one alone.
   *
   * @param flags more flags for the tool; without any, its output is written directly
   * @throws {KitError} with what the tool says
   */
  async format(clusterId: string, flags: readonly string[] = []): Promise<void> {
    const { classpath, bootstrap } = this.#parts;
    const { dir } = this.#place;
    const data = join(dir, "data");
    const marker = join(data, "meta.properties");
    if (await exists(marker)) return;
    await Deno.mkdir(data, { recursive: true });
    if (bootstrap !== undefined && flags.length === 0) {
      await Deno.copyFile(bootstrap, join(data, "bootstrap.checkpoint"));
      const ids = { "cluster.id": clusterId, "node.id": this.id, "directory.id": randomId() };
      return await Deno.writeTextFile(marker, render({ version: 1, ...ids }));
    }
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

  /** Starts it, on the same ports and data as before, and waits until it answers. */
  async start(): Promise<void> {
    const { dir, flags, port, probePort = port, timeoutMs = 180_000 } = this.#place;
    const process = this.#process = runJava(this.#parts, dir, flags, "kafka.Kafka");
    let code: number | undefined;
    process.ended.then((ended) => code = ended);
    const deadline = performance.now() + timeoutMs;
    while (await brokersSeenFrom(probePort) === 0) {
      if (code !== undefined) {
        throw new KitError(
          `Cannot start Kafka: it ended with ${code}: ${await this.#reason(process)}`,
        );
      }
      if (performance.now() > deadline) {
        await this.kill();
        throw new KitError(
          `Cannot start Kafka: no answer on ${this.address} after ${timeoutMs} ms: ${await this
            .#reason(process)}`,
        );
      }
      await new Promise((next) => setTimeout(next, 20));
    }
  }

  async #reason({ output }: ReturnType<typeof runJava>): Promise<string> {
    const log = await ifThere(Deno.readTextFile(this.logFile));
    const lines = (log || await output).split("\n");
    const telling = lines.filter((line) => /ERROR|FATAL|Exception/.test(line));
    return `${(telling.at(-1) ?? lines.at(-2) ?? "no reason given").trim()} (see ${this.logFile})`;
  }

  /** Shuts it down cleanly. */
  async stop(): Promise<void> {
    await this.#process?.end("SIGTERM");
  }

  /** Ends it at once, as a crash would. */
  async kill(): Promise<void> {
    await this.#process?.end("SIGKILL");
  }
}
