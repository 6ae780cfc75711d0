// The programs that tests and a local Kafka need besides Deno, and their Debian packages.
import { run } from "./run.ts";

/** Where Debian and Ubuntu keep libfaketime. */
export const FAKETIME = `/usr/lib/${Deno.build.arch}-linux-gnu/faketime/libfaketimeMT.so.1`;

export interface Need {
  readonly purpose: string;
  readonly packages: readonly string[];
  /** A command that succeeds if it is installed. */
  readonly probe: readonly [program: string, ...args: string[]];
}

export const needs = {
  java: {
    purpose: "17 or newer, for a local Apache Kafka",
    packages: ["default-jre-headless"],
    probe: ["java", "-version"],
  },
  maven: { purpose: "fetching Apache Kafka", packages: ["maven"], probe: ["mvn", "-v"] },
  kcat: { purpose: "a foreign Kafka client", packages: ["kcat"], probe: ["kcat", "-V"] },
  chromium: {
    purpose: "looking at the viewer",
    packages: ["chromium"],
    probe: ["chromium", "--version"],
  },
  ffmpeg: { purpose: "making video files", packages: ["ffmpeg"], probe: ["ffmpeg", "-version"] },
  rtsp: {
    purpose: "a local RTSP camera",
    packages: [
      "gir1.2-gst-rtsp-server-1.0",
      "gstreamer1.0-plugins-base",
      "gstreamer1.0-plugins-good",
      "gstreamer1.0-plugins-bad",
      "gstreamer1.0-plugins-ugly",
      "gstreamer1.0-rtsp",
      "glib-networking",
      "openssl",
      "python3-gi",
    ],
    probe: [
      "/usr/bin/python3",
      "-c",
      "import gi; gi.require_version('GstRtspServer', '1.0'); from gi.repository import GstRtspServer",
    ],
  },
  go: { purpose: "building kfake", packages: ["golang-go"], probe: ["go", "version"] },
  fence: {
    purpose: "running commands within a container's fence",
    packages: ["bubblewrap", "python3-seccomp"],
    probe: ["sh", "-c", "bwrap --version && /usr/bin/python3 -c 'import seccomp'"],
  },
  strace: {
    purpose: "replaying power failures",
    packages: ["strace"],
    probe: ["strace", "-V"],
  },
  faketime: {
    purpose: "turning clocks",
    packages: ["libfaketime"],
    probe: ["test", "-f", FAKETIME],
  },
  network: { purpose: "cutting networks", packages: ["iproute2"], probe: ["ip", "-V"] },
} as const satisfies Record<string, Need>;

export type NeedName = keyof typeof needs;

const RETRIES = ["-o", "Acquire::Retries=3"];

export async function missing(names: readonly NeedName[]): Promise<NeedName[]> {
  const found = await Promise.all(names.map(async (name) => {
    const [program, ...args] = needs[name].probe;
    return (await run(program, args))?.code === 0;
  }));
  return names.filter((_, index) => !found[index]);
}

export function installCommand(names: readonly NeedName[]): string {
  return `apt-get install --no-install-recommends ${
    names.flatMap((name) => needs[name].packages).join(" ")
  }`;
}

/**
 * Installs what is missing, if permitted.
 *
 * @throws {Error} saying what to install, if this is not Debian or the user is not root.
 */
export async function ensure(
  names: readonly NeedName[],
  { say, root = Deno.uid() === 0 }: { say: (line: string) => void; root?: boolean },
): Promise<void> {
  const absent = await missing(names);
  if (absent.length === 0) return;
  const list = absent.map((name) => `${name} (${needs[name].purpose})`).join(", ");
  const debian = await run("apt-get", ["--version"]) !== undefined;
  if (!debian || !root) {
    throw new Error(
      `Cannot continue without ${list}: ` +
        (debian ? `install as root: ${installCommand(absent)}` : "install them, then try again"),
    );
  }
  say(`Installing ${list}: ${installCommand(absent)}`);
  const env = { DEBIAN_FRONTEND: "noninteractive" };
  const [program, ...args] = installCommand(absent).split(" ") as [string, ...string[]];
  await succeed("apt-get", ["-q", ...RETRIES, "update"], env);
  await succeed(program, ["-q", "-y", ...RETRIES, ...args], env);
  const still = await missing(absent);
  if (still.length > 0) {
    throw new Error(`Installed packages, but still missing ${still.join(", ")}`);
  }
}

async function succeed(program: string, args: string[], env: Record<string, string>) {
  const ended = await run(program, args, { env });
  if (ended?.code !== 0) {
    const last = ended?.output.trimEnd().split("\n").slice(-5).join("\n");
    throw new Error(`Cannot run ${program} ${args.join(" ")}: exit code ${ended?.code}\n${last}`);
  }
}
