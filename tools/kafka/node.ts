// One Kafka process.
import { join } from "node:path";

/** Java or Maven is missing, or the jars cannot be fetched. The message says what to do. */
export class KitError extends Error {
  override readonly name = "KitError";
}

/** What a node is run from. */
export interface NodeParts {
  readonly classpath: string;
  /** Java's archive of loaded classes. */
  readonly archive?: string;
  /** The first record of an empty cluster, as Kafka's storage tool writes it. */
  readonly bootstrap?: string;
}

/** A Kafka process that was started. */
export interface NodeProcess {
  readonly pid: number;
  /** Its exit code, once it has ended. */
  readonly ended: Promise<number>;
  /** Its standard error and output: useful only when it dies before its log begins. */
  readonly output: Promise<string>;
  kill(signal: "SIGTERM" | "SIGKILL" | "SIGSTOP" | "SIGCONT"): void;
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

/** Starts the node that `dir` describes (`server.properties`, `log4j2.properties`). */
export function runNode(
  parts: NodeParts,
  dir: string,
  flags: readonly string[],
  main = "kafka.Kafka",
): NodeProcess {
  const child = new Deno.Command("java", {
    args: [...flags, ...jvm(parts, dir), main, join(dir, "server.properties")],
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  let running = true;
  const ended = child.status.then(({ code }) => {
    running = false;
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
    stdin: "null",
  }).output();
  if (success) return;
  const text = new TextDecoder();
  const output = (text.decode(stdout) + text.decode(stderr)).trim();
  throw new KitError(`Cannot format Kafka's storage for ${dir}: ${output}`);
}

/** The last 4 kB or so of a stream. */
async function tail(stream: ReadableStream<Uint8Array>): Promise<string> {
  let text = "";
  for await (const part of stream.pipeThrough(new TextDecoderStream())) {
    text = (text + part).slice(-4_096);
  }
  return text;
}
