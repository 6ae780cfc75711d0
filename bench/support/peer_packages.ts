// Installs what the peers need: Python packages into a virtual environment, Spark's Kafka jars.
import { fileURLToPath } from "node:url";
import { exists } from "../../runtime/base/folders.ts";
import { print } from "../print.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));

export interface PeerPackages {
  readonly python: string;
  readonly jars: string;
  /** Peers that cannot be run, and why. */
  readonly missing: Map<string, string>;
}

/** Installs what is not there yet. What cannot be installed is named, not fatal. */
export async function preparePeers(say: (line: string) => void): Promise<PeerPackages> {
  const { python, failure } = await installed("peers", "requirements.txt", say);
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

/** Runs a script of `bench/peers`; what the last line that it prints says, as JSON. */
export type Peer = <T>(...args: readonly string[]) => Promise<T>;

/** How packages are installed. */
interface PipOptions {
  /** The list holds all that they need: what they ask for beyond it is not installed. */
  readonly complete?: boolean;
  /** They need the PyTorch of the system: the one of PyPI weighs gigabytes. */
  readonly torch?: boolean;
}

/** Installs the Python packages of a file of `bench/peers` for one of its scripts. */
export async function pythonPeer(
  script: string,
  requirements: string,
  options: PipOptions = {},
): Promise<Peer> {
  const name = requirements.split(".")[0]!;
  const { python, failure } = await installed(name, requirements, print, options);
  if (failure !== undefined) throw new Error(`Cannot compare without Python: ${failure}`);
  return async <T>(...args: readonly string[]) => {
    const { stdout, stderr, success } = await new Deno.Command(python, {
      args: [script, ...args],
      cwd: `${root}bench/peers`,
      env: { PEER_STARTED: String(Date.now() / 1000) },
    }).output();
    const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
    if (!success) throw new Error(`${script} failed: ${text(stderr)}`);
    return JSON.parse(text(stdout).trim().split("\n").at(-1)!) as T;
  };
}

/** A Python with the packages of a file, in `.cache/NAME`, and why they could not be installed, where that is so. */
async function installed(
  name: string,
  requirements: string,
  say: (line: string) => void,
  { complete = false, torch = false }: PipOptions = {},
): Promise<{ readonly python: string; readonly failure?: string }> {
  const environment = `${root}.cache/${name}`;
  const python = `${environment}/bin/python`;
  const list = `${root}bench/peers/${requirements}`;
  const wanted = await Deno.readTextFile(list);
  const marker = `${environment}/installed.txt`;
  if (await text(marker) === wanted) return { python };
  say(`Installing Python packages into .cache/${name}`);
  const base = torch && await exists("/usr/bin/python3") ? "/usr/bin/python3" : "python3";
  if (torch && await run(base, ["-c", "import torch, torchvision"]) !== undefined) {
    const failure = `${base} has no PyTorch; on Debian: ` +
      "apt-get install python3-torch python3-torchvision";
    return { python, failure };
  }
  const failure = await run(base, [
    ...["-m", "venv", ...(torch ? ["--system-site-packages"] : []), environment],
  ]) ??
    await run(python, [
      ...["-m", "pip", "install", "-q", ...(complete ? ["--no-deps"] : []), "-r", list],
    ]);
  if (failure !== undefined) return { python, failure };
  await Deno.writeTextFile(marker, wanted);
  return { python };
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
