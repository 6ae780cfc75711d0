// What the tests of cameras share.
import { Camera } from "../../cameras/camera.ts";
import { CaptureTimes } from "../../cameras/capture_times.ts";
import { makeSource } from "../../cameras/open.ts";
import type { CameraStatus } from "../../cameras/registry.ts";
import type { CameraSettings } from "../../cameras/settings.ts";
import type { Overflow } from "../../cameras/frame_buffer.ts";
import type { CameraSource, SourceContext, SourceImage } from "../../cameras/source.ts";
import { type Clock, systemClock } from "../../runtime/base/clock.ts";
import { decodeImage } from "../../runtime/image/decode.ts";
import { denoArguments } from "../support/framelane.ts";
import { MemoryLog } from "../support/memory_log.ts";

export const TOPIC = "frames";

/** The machine's clock, whose sleeps end at once. */
export const hurriedClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  async sleep(_, signal) {
    await new Promise((resolve) => setTimeout(resolve));
    signal?.throwIfAborted();
  },
};

/** A clock that only sleeping moves: how long the machine takes for anything else does not count. */
export function sleptClock(): Clock {
  let slept = 0;
  return {
    now: () => 1_700_000_000_000 + slept,
    monotonic: () => slept,
    async sleep(ms, signal) {
      await new Promise((resolve) => setTimeout(resolve));
      signal?.throwIfAborted();
      slept += ms;
    },
  };
}

/** How far two clocks of a machine may drift apart in a test. */
const DRIFT_MS = 250;

/** Whether a capture time has come: it follows the monotonic clock, which drifts against the wall clock. */
export function isPast(timestamp: number): boolean {
  return timestamp <= Date.now() + DRIFT_MS;
}

/** Whether this machine has the loopback address of IPv6: few containers lack it. */
export function hasIpv6(): boolean {
  try {
    Deno.listen({ hostname: "::1", port: 0 }).close();
    return true;
  } catch {
    return false;
  }
}

/** What a source is opened with, and what it reported. */
export function context(
  overrides: Partial<SourceContext> = {},
): SourceContext & { readonly reports: string[]; readonly stop: AbortController } {
  const reports: string[] = [];
  const stop = new AbortController();
  return {
    camera: "CAMERA-1",
    clock: systemClock,
    times: new CaptureTimes(overrides.clock ?? systemClock, (message) => reports.push(message)),
    signal: stop.signal,
    report: (message) => reports.push(message),
    ...overrides,
    reports,
    stop,
  };
}

/** Writes down what a source says of its opening and its activity. */
export function listener() {
  const heard: string[] = [];
  return {
    heard,
    onOpening: () => void heard.push("opening"),
    onActivity: () => void heard.push("activity"),
  };
}

/** The first `limit` images of a source. */
export async function take(
  source: CameraSource | Promise<CameraSource>,
  limit = Infinity,
  overrides: Partial<SourceContext> = {},
): Promise<SourceImage[]> {
  const images: SourceImage[] = [];
  for await (const image of (await source).open(context(overrides))) {
    images.push(image);
    if (images.length >= limit) break;
  }
  return images;
}

/** The sequence number that is burnt into a picture of the test pattern. */
export async function burntIn(value: Uint8Array): Promise<number | undefined> {
  const image = await decodeImage(value, 1);
  try {
    return stripIn(image);
  } finally {
    image.release();
  }
}

/** Reads the strip below a pattern: 24 bits of sequence number, 8 of a check sum, the highest first. */
function stripIn({ data, width, height }: { data: Uint8Array; width: number; height: number }) {
  const top = height - Math.max(4, Math.round(height / 24));
  const row = Math.floor((top + height) / 2) * width;
  let bits = 0;
  for (let cell = 0; cell < 32; cell++) {
    bits = bits * 2 + (data[row + Math.floor((cell + 0.5) * width / 32)]! > 127 ? 1 : 0);
  }
  const seq = Math.floor(bits / 256);
  const sum = (0x5a ^ (seq & 255) ^ (seq >> 8 & 255) ^ (seq >> 16 & 255)) & 255;
  return bits % 256 === sum ? seq : undefined;
}

/** Runs camera 1 into a log in memory. */
export async function runToMemory(
  text: string,
  options: {
    readonly settings?: CameraSettings;
    readonly limit?: number;
    readonly log?: MemoryLog;
    readonly clock?: Clock;
    readonly stop?: AbortController;
    readonly kv?: Deno.Kv;
    readonly source?: CameraSource | (() => Promise<CameraSource>);
    readonly bufferFrames?: number;
    readonly overflow?: Overflow;
    readonly keepTrying?: boolean;
    readonly onStatus?: (status: CameraStatus) => void;
    /** Takes the camera when it begins. */
    readonly onCamera?: (camera: Camera) => void;
    /** Where reports are collected, for who cannot wait for the end. */
    readonly reports?: string[];
  } = {},
) {
  const { settings = {}, limit, log = new MemoryLog(), clock = systemClock } = options;
  const { keepTrying = false, onStatus = () => {} } = options;
  const { source = () => makeSource(text, settings) } = options;
  const { reports = [] } = options;
  const report = (message: string) => void reports.push(message);
  const { signal } = options.stop ?? new AbortController();
  const camera = new Camera(
    {
      log: log.asTopicLog(),
      producer: await log.producer(),
      topic: TOPIC,
      bufferFrames: options.bufferFrames,
      overflow: options.overflow,
      kv: options.kv,
      clock,
    },
    {
      number: 1,
      source: typeof source === "function" ? source : () => Promise.resolve(source),
      ...{ signal, report, settings, limit, keepTrying, onStatus },
    },
  );
  options.onCamera?.(camera);
  await camera.ended;
  const { stats } = camera;
  const reopened = Object.values(stats.failures).reduce((sum, count) => sum + count, 0);
  return { summary: { ...stats, reopened }, records: log.records(TOPIC, 0), reports, log };
}

/** Runs a command of Framelane in a process of its own. */
export function framelane(
  args: readonly string[],
  options: { readonly cwd?: string; readonly env?: Record<string, string> } = {},
): Deno.Command {
  return new Deno.Command(Deno.execPath(), {
    ...options,
    args: denoArguments(args),
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  });
}
