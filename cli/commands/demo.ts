// `deno task demo`: cameras, log, queries and viewer in one process.
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { systemClock } from "../../runtime/base/clock.ts";
import { pause } from "../../runtime/base/wait.ts";
import { Presence } from "../../runtime/log/embedded/presence.ts";
import { isLoopback } from "../../runtime/base/host.ts";
import { command, type LogLevel, type Options, parsers, type Values } from "../command.ts";
import { RUNTIME_NEEDS } from "../log_options.ts";
import { resolvePlan } from "../up/resolve.ts";
import { UpRun } from "../up/run.ts";
import {
  portOption,
  viewerAccess,
  viewerAccessFaults,
  viewerAccessOptions,
} from "../viewer_access.ts";

interface DemoCamera {
  readonly source: string;
  readonly about: string;
  readonly query: string;
}

const [FOLDER] = RUNTIME_NEEDS.writes;
/** The names of demos' folders: no user names one like this. */
const OWN = { prefix: "demo-", suffix: ".tmp" };
const clip = (name: string) => fileURLToPath(new URL(`../../clips/${name}`, import.meta.url));

const CAMERAS: readonly DemoCamera[] = [
  { source: clip("bigbuckbunny.mp4"), about: "a video file", query: "motion" },
  { source: "pattern:?size=640x360&fps=15", about: "a test pattern", query: "greyscale" },
  { source: clip("astronaut.mp4"), about: "a film that pans over a photograph", query: "objects" },
];

const demoOptions = {
  ...portOption,
  ...viewerAccessOptions,
  for: { value: "SECONDS", help: "Stop after this many seconds", parse: parsers.positive },
} as const satisfies Options;

export const demo = command({
  options: demoOptions,
  needs: RUNTIME_NEEDS,
  check: ({ options }) => viewerAccessFaults(guarded(options)),
  async run({ options }, { signal, print, say }) {
    const access = viewerAccess(guarded(options));
    // Below the current folder, the only place that the demo may write to.
    await Deno.mkdir(FOLDER, { recursive: true });
    await removeKilled();
    const directory = await Deno.makeTempDir({ dir: FOLDER, ...OWN });
    try {
      // The lines below introduce the parts; `up` names each as it starts.
      const quiet = (line: string, level: LogLevel = "info") => {
        if (level !== "info") say(line, level);
      };
      const plan = await resolvePlan(fileOf(directory), {
        file: "demo",
        environment: () => undefined,
      });
      const viewer = { port: options.port, ...access };
      const running = await UpRun.start({ ...plan, viewer }, { signal, print, say: quiet }, false);
      try {
        // A token created by this run is shown, since the user cannot know it otherwise.
        const token = access.tokens?.find(({ opens }) => opens === "all")?.token;
        print(
          `Open ${running.url}${token === undefined ? "" : `?token=${token}`}`,
          options.token === undefined ? "shown" : undefined,
        );
        for (const [partition, { query, about }] of CAMERAS.entries()) {
          print(
            `CAMERA-${partition + 1}  ${query} on ${about}: ${running.url}cam/${partition + 1}`,
          );
        }
        print("Ctrl-C ends the demo");
        await pause(1000 * (options.for ?? Infinity), signal);
      } finally {
        await running.stop();
      }
      return running.failed ? 1 : 0;
    } finally {
      await Deno.remove(directory, { recursive: true });
    }
  },
});

/** Removes what demos left that were killed, or whose terminal was closed. */
async function removeKilled(): Promise<void> {
  for await (const { name } of Deno.readDir(FOLDER)) {
    const isOwn = name.startsWith(OWN.prefix) && name.endsWith(OWN.suffix);
    // Another demo may remove it at the same time; another user's stays.
    if (isOwn) await removeIfKilled(join(FOLDER, name)).catch(() => {});
  }
}

async function removeIfKilled(folder: string): Promise<void> {
  if ((await Presence.look(folder)).any) return;
  const { mtime } = await Deno.stat(folder);
  // One that starts has not opened its log yet.
  if (systemClock.now() - Number(mtime) > 60_000) await Deno.remove(folder, { recursive: true });
}

/** The demo's `framelane.yaml`, but for its viewer. */
function fileOf(directory: string): string {
  return JSON.stringify({
    log: `embedded:${directory}?retention-bytes=${256 * 1024 * 1024}`,
    state: ":memory:",
    cameras: CAMERAS.map(({ source }, index) => ({ number: index + 1, source, loop: true })),
    queries: CAMERAS.map(({ query }, partition) => ({
      query,
      partitions: [partition],
      startingOffsets: "earliest",
    })),
  });
}

/** Adds a token if others could reach the viewer. */
function guarded(options: Values<typeof viewerAccessOptions>): typeof options {
  const { host, token, "proxy-host": proxies } = options;
  if (isLoopback(host) || token !== undefined || proxies !== undefined) return options;
  return { ...options, token: [{ token: crypto.randomUUID().replaceAll("-", ""), opens: "all" }] };
}
