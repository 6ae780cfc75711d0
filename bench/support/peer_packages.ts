/**
 * Installs what the peers need: Python packages into a virtual environment, Spark's Kafka jars.
 *
 * @module
 */
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../../", import.meta.url));

/** Where the peers' things are. */
export interface PeerPackages {
  readonly python: string;
  readonly jars: string;
  /** Peers that cannot be run, and why. */
  readonly missing: Map<string, string>;
}

/** Installs what is not there yet. What cannot be installed is named, not fatal. */
export async function preparePeers(say: (line: string) => void): Promise<PeerPackages> {
  const environment = `${root}.cache/peers`;
  const python = `${environment}/bin/python`;
  const jars = `${root}.cache/spark-jars`;
  const missing = new Map<string, string>();
  const requirements = `${root}bench/peers/requirements.txt`;
  const wanted = await Deno.readTextFile(requirements);
  const marker = `${environment}/installed.txt`;
  if (await text(marker) !== wanted) {
    say("Installing the Python peers into .cache/peers");
    const failure = await run("python3", ["-m", "venv", environment]) ??
      await run(python, ["-m", "pip", "install", "-q", "-r", requirements]);
    if (failure === undefined) await Deno.writeTextFile(marker, wanted);
    else {for (const name of ["pyspark", "python-best", "python-classic"]) {
        missing.set(name, failure);
      }}
  }
  if (!await has(`${jars}/complete`)) {
    say("Fetching Spark's Kafka jars into .cache/spark-jars");
    const fetch = () =>
      run("mvn", [
        "-q",
        "-B",
        "-f",
        `${root}bench/peers/pom.xml`,
        "dependency:copy-dependencies",
        `-DoutputDirectory=${jars}`,
        "-DincludeScope=runtime",
      ]);
    // Maven sometimes fails once.
    const failure = await fetch() === undefined ? undefined : await fetch();
    if (failure === undefined) await Deno.writeTextFile(`${jars}/complete`, "");
    else missing.set("pyspark", failure);
  }
  return { python, jars, missing };
}

async function run(program: string, args: string[]): Promise<string | undefined> {
  try {
    const { success, stderr } = await new Deno.Command(program, { args, stdin: "null" }).output();
    if (success) return undefined;
    return `${program} failed: ${new TextDecoder().decode(stderr).trim().split("\n").at(-1)}`;
  } catch (error) {
    return `${program} cannot be run: ${(error as Error).message}`;
  }
}

async function text(path: string): Promise<string | undefined> {
  return await has(path) ? await Deno.readTextFile(path) : undefined;
}

async function has(path: string): Promise<boolean> {
  try {
    await Deno.stat(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}
