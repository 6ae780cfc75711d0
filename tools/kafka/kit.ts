// What a local Apache Kafka runs from: Java, Kafka's jars out of Maven Central, and two things
// made from them once, which halve the time to start: an archive of loaded classes and the
// bootstrap record of an empty cluster.
import { exists, ifThere } from "../../runtime/base/folders.ts";
import { ensure, type NeedName } from "../debian.ts";
import { run } from "../run.ts";
import { KafkaNode, KitError, type NodeParts } from "./node.ts";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { freePort } from "./probe.ts";

/** Default version of Apache Kafka. */
export const KAFKA_VERSION = "4.1.1";

const here = dirname(fileURLToPath(import.meta.url));
const POM = join(here, "pom.xml");
const COPY = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies";

/** Where the jars are kept: `.cache/kafka-4.1.1` of the project. */
const cacheDirOf = (version: string) => join(here, "..", "..", ".cache", `kafka-${version}`);

export interface KitOptions {
  /** Version of Apache Kafka. Default `KAFKA_VERSION`, which alone is prepared for quick starts. */
  readonly version?: string;
  readonly cacheDir?: string;
  /** Receives messages about installations and downloads. */
  readonly say?: (line: string) => void;
}

/** Prepares Kafka and returns its parts. Fast if they exist already. */
export async function kafkaKit(options: KitOptions = {}): Promise<NodeParts> {
  const { version = KAFKA_VERSION, say = () => {} } = options;
  const { cacheDir = cacheDirOf(version) } = options;
  const trained = version === KAFKA_VERSION;
  await install("java", say);
  await checkJava();
  const ready = await readyParts(cacheDir, trained);
  if (ready !== undefined) return ready;
  await Deno.mkdir(cacheDir, { recursive: true });
  // Two processes would remove each other's jars.
  using lock = await Deno.open(join(cacheDir, "lock"), { create: true, write: true });
  await lock.lock(true);
  if (!await exists(join(cacheDir, "lib"))) await fetchJars(join(cacheDir, "lib"), version, say);
  const parts = await readyParts(cacheDir, trained);
  if (parts !== undefined) return parts;
  say("Preparing Kafka for quick starts (once)");
  await train(cacheDir, await classpathOf(cacheDir));
  return (await readyParts(cacheDir, trained))!;
}

/** The existing parts; undefined if one is missing. */
async function readyParts(cacheDir: string, trained: boolean): Promise<NodeParts | undefined> {
  if (!await exists(join(cacheDir, "lib"))) return undefined;
  const classpath = await classpathOf(cacheDir);
  if (!trained) return { classpath };
  const archive = join(cacheDir, "classes.jsa");
  const bootstrap = join(cacheDir, "bootstrap.checkpoint");
  const there = await exists(archive) && await exists(bootstrap);
  return there ? { classpath, archive, bootstrap } : undefined;
}

/** All jars, always in the same order: Java's archive is of one classpath. */
async function classpathOf(cacheDir: string): Promise<string> {
  const dir = join(cacheDir, "lib");
  const jars = await Array.fromAsync(Deno.readDir(dir), ({ name }) => join(dir, name));
  return jars.filter((jar) => jar.endsWith(".jar")).sort().join(":");
}

async function fetchJars(
  jarDir: string,
  version: string,
  say: (line: string) => void,
): Promise<void> {
  await install("maven", say);
  say(`Fetching Apache Kafka ${version} from Maven Central (some 40 MB)`);
  // Copied beside the final folder, then renamed, so that no partial copy is used. What Maven has downloaded
  // stays in its own cache, so a second try continues where the first one ended.
  const copy = await Deno.makeTempDir({ dir: dirname(jarDir), prefix: "copy-" });
  try {
    await copyJars(copy, version);
    await Deno.rename(copy, jarDir);
  } finally {
    await ifThere(Deno.remove(copy, { recursive: true }));
  }
}

/** Copies the jars of a version of Apache Kafka, or of a range of versions, from Maven Central. */
export async function copyJars(to: string, version: string, flags: readonly string[] = []) {
  const command = [
    ...["-B", "-f", POM, COPY, "-DincludeScope=runtime", ...flags],
    ...[`-Dkafka.version=${version}`, `-DoutputDirectory=${to}`],
  ];
  let result = await run("mvn", command);
  if (result?.code !== 0) result = await run("mvn", command);
  if (result?.code === 0) return;
  const lines = (result?.output ?? "").split("\n").filter((line) => line.includes("ERROR"));
  throw new KitError(
    `Cannot fetch Apache Kafka's jars from Maven Central: mvn ended with ${result?.code}: ${
      lines.slice(0, 3).join(" ")
    }`,
  );
}

/** Starts an empty Kafka once, and keeps the archive of its loaded classes. */
async function train(cacheDir: string, classpath: string): Promise<void> {
  const dir = await Deno.makeTempDir({ dir: cacheDir, prefix: "train-" });
  try {
    const archive = join(dir, "classes.jsa");
    const flags = ["-Xmx512m", `-XX:ArchiveClassesAtExit=${archive}`];
    const node = new KafkaNode({ classpath }, { id: 1, port: freePort(), dir, flags });
    await node.configure(freePort());
    await node.format("AAAAAAAAAAAAAAAAAAAAAA");
    await node.start();
    await node.stop();
    // Without the archive Kafka starts too, only later: some versions of Java make none.
    if (!await exists(archive)) await Deno.writeFile(archive, new Uint8Array());
    await Deno.rename(archive, join(cacheDir, "classes.jsa"));
    const bootstrap = "bootstrap.checkpoint";
    await Deno.rename(join(dir, "data", bootstrap), join(cacheDir, bootstrap));
  } finally {
    await ifThere(Deno.remove(dir, { recursive: true }));
  }
}

async function checkJava(): Promise<void> {
  const major = Number(/version "(\d+)/.exec((await run("java", ["-version"]))?.output ?? "")?.[1]);
  if (major < 17) {
    throw new KitError(
      `Cannot run Apache Kafka ${KAFKA_VERSION} on Java ${major}: it needs Java 17`,
    );
  }
}

async function install(need: NeedName, say: (line: string) => void): Promise<void> {
  try {
    await ensure([need], { say });
  } catch (error) {
    if (error instanceof Deno.errors.NotCapable) throw error;
    throw new KitError((error as Error).message);
  }
}
