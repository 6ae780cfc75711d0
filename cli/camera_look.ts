// `cameras probe URL` and `cameras discover`: inspects cameras before they are added.
import { discover, type FoundCamera } from "../cameras/discovery.ts";
import { makeSource } from "../cameras/open.ts";
import { type ProbeReport, probeSource } from "../cameras/probe.ts";
import { type CameraSettings, settingWords } from "../cameras/settings.ts";
import { SourceError } from "../cameras/source.ts";
import { systemClock } from "../runtime/base/clock.ts";
import { maskUrl } from "../runtime/base/mask.ts";
import { range } from "../runtime/base/options.ts";
import {
  type CommandContext,
  type Options,
  orUsageError,
  parsers,
  type Values,
} from "./command.ts";

/** Smaller drifts are network jitter over a few seconds. */
const LEAST_DRIFT_PPM = 10_000;
const MULTICAST = "239.255.255.250:3702";

export const lookOptions = {
  for: {
    value: "SECONDS",
    actions: ["probe", "discover"],
    help: "Duration, seconds (default: 10 and 3)",
    parse: parsers.number(range({ min: 0, max: 86_400, above: true })),
  },
  address: {
    value: "HOST:PORT",
    actions: ["discover"],
    help: `Address to ask: the whole network, or one device (default ${MULTICAST})`,
    parse: parseAddress,
  },
  user: { value: "NAME", actions: ["discover"], help: "User name" },
  password: {
    value: "WORD",
    actions: ["discover"],
    help: "Password; prefer FRAMELANE_PASSWORD",
    show: () => "***",
  },
} as const satisfies Options;

type LookValues = Values<typeof lookOptions> & { readonly json?: boolean | undefined };

function parseAddress(text: string): { hostname: string; port: number } {
  const match = /^([\w.-]+):(\d{1,5})$/.exec(text);
  if (match === null || Number(match[2]) > 65_535) {
    throw new Error("expected HOST:PORT, a name or an IPv4 address and its port");
  }
  return { hostname: match[1]!, port: Number(match[2]) };
}

export async function probe(
  text: string,
  settings: CameraSettings,
  values: LookValues,
  { print, say, signal }: CommandContext,
): Promise<number> {
  // Reads a folder only once: its published files must stay unchanged.
  const source = await orUsageError(makeSource(text, { loop: false, ...settings }, signal));
  const seconds = values.for ?? 10;
  say(`Looking at ${source.description} for ${seconds} s`);
  try {
    const forMs = seconds * 1000;
    const found = await probeSource(source, { settings, clock: systemClock, signal, forMs });
    const words = ["add", "1", maskUrl(text), ...settingWords(settings)];
    const add = `deno task cameras ${words.map(quoted).join(" ")}`;
    if (values.json) print(JSON.stringify({ type: "probe", ...found, add }));
    else for (const line of lines(found, add)) print(line);
    return found.frames > 0 ? 0 : 1;
  } catch (error) {
    if (!(error instanceof SourceError)) throw error;
    const { message } = error;
    if (values.json) print(JSON.stringify({ type: "probe", frames: 0, error: message }));
    else say(message);
    return 1;
  }
}

function lines(found: ProbeReport, add: string): string[] {
  const { codec, width, height, steps, timeJumps, login, reports } = found;
  const { frames, seconds, framesPerSecond, keyframeSeconds, driftPpm = 0, bitsPerSecond } = found;
  const clock = steps && [
    `steps of ${steps.least} to ${steps.most} ms, median ${steps.median}`,
    timeJumps === 0 ? "no jumps" : `${timeJumps} jumps corrected`,
    ...(Math.abs(driftPpm) < LEAST_DRIFT_PPM ? [] : [
      `it runs ${Math.abs(driftPpm / 10_000).toFixed(1)} % ${driftPpm > 0 ? "fast" : "slow"}`,
    ]),
  ];
  const rows = Object.entries({
    codec,
    size: width && `${width}x${height}`,
    frames: `${frames} in ${seconds} s`,
    rate: framesPerSecond && `${framesPerSecond} frames/s`,
    bits: bitsPerSecond && `${(bitsPerSecond / 1e6).toFixed(2)} Mbit/s`,
    keyframes: keyframeSeconds && `every ${keyframeSeconds} s`,
    clock: clock?.join("; "),
    login,
  });
  return [...rows, ...reports.map((text) => ["note", text]), ["add it", add]]
    .flatMap(([name, text]) => text ? [`${name!.padEnd(10)}${text}`] : []);
}

export async function discoverCameras(
  values: LookValues,
  { print, say, signal }: CommandContext,
): Promise<number> {
  const [hostname = "", port] = MULTICAST.split(":");
  const { user, password = "" } = values;
  const found = await discover({
    ...(values.address ?? { hostname, port: Number(port) }),
    forMs: (values.for ?? 3) * 1000,
    ...(user === undefined ? {} : { credentials: { user, password } }),
    signal,
  });
  for (const camera of found) {
    if (values.json) print(JSON.stringify({ type: "found", ...camera }));
    else for (const line of describeFound(camera, user)) print(line);
  }
  if (found.length === 0) say("No camera answered");
  return 0;
}

function describeFound({ service, name, place, streams, error }: FoundCamera, user?: string) {
  const title = [name, place, new URL(service).host].filter((text) => text !== undefined);
  return [
    title.join(", "),
    ...streams.map((uri) => {
      const url = new URL(uri);
      if (user !== undefined) [url.username, url.password] = [user, "PASSWORD"];
      const named = name === undefined ? "" : ` --name ${quoted(name)}`;
      return `  deno task cameras add 1 ${quoted(url.href)}${named}`;
    }),
    ...(error === undefined ? [] : [`  ${error}`]),
  ].map((line) => line.replaceAll(/\p{Cc}/gu, "�"));
}

/** A word of a command line as a shell needs it. */
export function quoted(text: string): string {
  return /^[\w./:@%+=,-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
