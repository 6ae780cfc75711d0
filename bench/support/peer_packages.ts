// Installs what the peers need: Python packages into a virtual environment, Spark's Kafka jars.
import { fileURLToPath } from "node:url";
import { exists } from "../../runtime/base/folders.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));

export interface PeerPackages {
  readonly python: string;
  readonly jars: string;
  /** Peers that cannot be run, and why. */
  readonly missing: Map<string, string>;
}

/** Installs what is not there yet. What cannot be installed is named, not fatal. */
export async function preparePeers(say: (line: string) => void): Promise<PeerPackages> {
  const { python, failure } = await pythonWith("peers", "requirements.txt", say);
  const jars = `${root}.cache/spark-jars`;
  const missing = new Map<string, string>();
  if (failure !== undefined) {
    for (const name of ["pyspark", "python-best", "python-classic"]) missing.set(name, failure);
  }
  if (!await exists(`${jars}/complete`)) {
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

/**
 * A Python with the packages of a file of `bench/peers`, in `.cache/NAME`.
 *
 * @returns its program, and why the packages could not be installed, where that is so.
 */
export async function pythonWith(
  name: string,
  requirements: string,
  say: (line: string) => void,
  { base = "python3", venv = [], pip = [] }: {
    readonly base?: string;
    readonly venv?: readonly string[];
    readonly pip?: readonly string[];
  } = {},
): Promise<{ readonly python: string; readonly failure?: string }> {
  const environment = `${root}.cache/${name}`;
  const python = `${environment}/bin/python`;
  const list = `${root}bench/peers/${requirements}`;
  const wanted = await Deno.readTextFile(list);
  const marker = `${environment}/installed.txt`;
  if (await text(marker) === wanted) return { python };
  say(`Installing Python packages into .cache/${name}`);
  const failure = await run(base, ["-m", "venv", ...venv, environment]) ??
    await run(python, ["-m", "pip", "install", "-q", ...pip, "-r", list]);
  if (failure !== undefined) return { python, failure };
  await Deno.writeTextFile(marker, wanted);
  return { python };
}

/**
 * The same with the PyTorch that the system has: the one of PyPI weighs gigabytes. What the packages ask
 * for beyond the list is not installed.
 */
export async function torchPython(
  name: string,
  requirements: string,
  say: (line: string) => void,
): Promise<{ readonly python: string; readonly failure?: string }> {
  const base = await exists("/usr/bin/python3") ? "/usr/bin/python3" : "python3";
  if (await run(base, ["-c", "import torch, torchvision"]) !== undefined) {
    const failure = `${base} has no PyTorch; on Debian: ` +
      "apt-get install python3-torch python3-torchvision";
    return { python: base, failure };
  }
  const options = { base, venv: ["--system-site-packages"], pip: ["--no-deps"] };
  return await pythonWith(name, requirements, say, options);
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
  return await exists(path) ? await Deno.readTextFile(path) : undefined;
}
