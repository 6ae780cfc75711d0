// `deno task demo`: cameras, log, queries and viewer in one process, to see what Framelane does.
import { fileURLToPath } from "node:url";
import { aborted } from "../../runtime/base/wait.ts";
import { openLog } from "../../runtime/log/open.ts";
import { isLoopback } from "../../viewer/mod.ts";
import {
  type Arguments,
  command,
  type CommandContext,
  noArguments,
  type Options,
  parsers,
  type Values,
} from "../command.ts";
import { commonOptions } from "../common_options.ts";
import { DEFAULT_TOPIC, SMALL_HEAP } from "../log_options.ts";
import { findQuery } from "../queries_folder.ts";
import type { Plan } from "../up/resolve.ts";
import { UpRun } from "../up/run.ts";
import { viewerAccess, viewerAccessFaults, viewerAccessOptions } from "../viewer_access.ts";

interface DemoCamera {
  readonly source: string;
  /** What the lane shows, in a few words. */
  readonly about: string;
  readonly query: string;
}

const FOLDER = ".framelane";
const clip = (name: string) => fileURLToPath(new URL(`../../clips/${name}`, import.meta.url));

const CAMERAS: readonly DemoCamera[] = [
  { source: clip("bigbuckbunny.mp4"), about: "a video file", query: "motion" },
  { source: "pattern:?size=640x360&fps=15", about: "a test pattern", query: "greyscale" },
  {
    source: `pan:${clip("astronaut.jpg")}?size=640x360`,
    about: "a camera that pans over a photograph",
    query: "objects",
  },
];

const demoOptions = {
  port: {
    value: "PORT",
    help: "Port of the viewer",
    default: 8000,
    parse: parsers.integer(0, 65_535),
    opens: "listen",
  },
  ...viewerAccessOptions,
  for: { value: "SECONDS", help: "Stop after this many seconds", parse: parsers.positive },
  ...commonOptions,
} as const satisfies Options;

export const demo = command({
  name: "demo",
  summary: "Three cameras, a log, a query on each, and the wall in the browser.",
  options: demoOptions,
  needs: {
    native: ["jpeg", "sharp", "ffmpeg", "onnx"],
    hidesEnvironment: true,
    writes: [FOLDER],
    // How much room the log has left.
    sys: ["statfs"],
    v8: SMALL_HEAP,
  },
  check: (args) => [...noArguments(args), ...viewerAccessFaults(guarded(args.options))],
  run,
});

async function run(
  { options: { for: seconds, port, ...options } }: Arguments<typeof demoOptions>,
  context: CommandContext,
): Promise<number> {
  const { print } = context;
  const access = viewerAccess(guarded(options));
  // Below the current folder: the demo may write nowhere else.
  await Deno.mkdir(FOLDER, { recursive: true });
  const directory = await Deno.makeTempDir({ dir: FOLDER, prefix: "demo-" });
  const signal = seconds === undefined
    ? context.signal
    : AbortSignal.any([context.signal, AbortSignal.timeout(seconds * 1000)]);
  try {
    const plan = await planOf(directory);
    const running = await UpRun.start({ ...plan, viewer: { port, ...access } }, context, false);
    try {
      const { url } = running;
      // A token that this run made is shown: its reader has it from nowhere else.
      print(
        `Open ${url}${access.token === undefined ? "" : `?token=${access.token}`}`,
        options.token === undefined ? "shown" : undefined,
      );
      CAMERAS.forEach(({ query, about }, index) =>
        print(`CAMERA-${index + 1}  ${query} on ${about}: ${url}cam/${index + 1}`)
      );
      print("Ctrl-C ends the demo");
      await aborted(signal);
      return running.failed ? 1 : 0;
    } finally {
      await running.stop();
    }
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

/** What the demo runs, with its log in a folder of its own. */
async function planOf(directory: string): Promise<Plan> {
  const url = `embedded:${directory}?retention-bytes=${256 * 1024 * 1024}`;
  const log = await openLog(url);
  // Made first, so that no query has to wait for a camera.
  await log.createTopic(DEFAULT_TOPIC, CAMERAS.length);
  await log.close();
  return {
    log: url,
    topics: [DEFAULT_TOPIC],
    state: ":memory:",
    cameras: CAMERAS.map(({ source }, index) => ({
      topic: DEFAULT_TOPIC,
      camera: { number: index + 1, source, loop: true },
    })),
    queries: CAMERAS.map(({ query }, partition) => ({
      ...findQuery(query),
      topic: DEFAULT_TOPIC,
      group: `framelane-${query}`,
      sinks: [],
      partitions: [partition],
      source: { startingOffsets: "earliest" as const },
    })),
  };
}

/** The options, with a token where others could look in. */
function guarded(options: Values<typeof viewerAccessOptions>): typeof options {
  const { host, token, "proxy-host": proxies } = options;
  const open = !isLoopback(host) && token === undefined && proxies === undefined;
  return open ? { ...options, token: crypto.randomUUID().replaceAll("-", "") } : options;
}
