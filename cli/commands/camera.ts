/**
 * `deno task camera N`: one camera, publishing to its partition.
 *
 * @module
 */
import { dirname } from "node:path";
import { type CameraSummary, runCamera } from "../../cameras/camera.ts";
import { ACCEPTED_SOURCES, makeSource } from "../../cameras/open.ts";
import { FramePublisher, type PublisherStats } from "../../cameras/publisher.ts";
import { type CameraSource, SourceError } from "../../cameras/source.ts";
import { LogTarget } from "../../cameras/target.ts";
import { systemClock } from "../../runtime/clock.ts";
import { LogError, type TopicLog } from "../../runtime/log/log.ts";
import { openLog } from "../../runtime/log/open.ts";
import {
  type CameraOptionValues,
  imageOptions,
  overflowOf,
  parseCameraNumber,
  producerFaults,
  producerOptions,
  targetOptions,
} from "../camera_options.ts";
import { type Command, type CommandContext, parsers, UsageError } from "../command.ts";
import { isLocalLog } from "../network.ts";
import { ProgressBar } from "../progress_bar.ts";

const PROGRESS_EVERY_MS = 1_000;

interface Values extends CameraOptionValues {
  readonly source: string;
  readonly limit?: number;
  readonly json?: boolean;
}

/** The command. */
export const camera: Command = {
  name: "camera",
  summary: "Publishes one camera: CAMERA-N goes to partition N-1.",
  positionals: "N",
  options: {
    source: { value: "URI", help: ACCEPTED_SOURCES, default: "pattern:" },
    ...targetOptions,
    ...imageOptions,
    limit: {
      value: "FRAMES",
      help: "End after so many frames",
      parse: parsers.integer(1),
    },
    ...producerOptions,
    json: { switch: true, help: "One JSON object a line on standard output, the summary last" },
  },
  // Streams are FFmpeg's, which Deno's permissions do not reach.
  network: ({ log }) => !isLocalLog(log as string),
  async run({ positionals, options }, context) {
    const values = options as unknown as Values;
    const { number, source, log } = await check(positionals, values);
    try {
      return await publish(number, source, log, values, context);
    } catch (error) {
      if (!(error instanceof SourceError) && !(error instanceof LogError)) throw error;
      context.say(error.message);
      return 1;
    } finally {
      await log.close();
    }
  },
};

/** @throws {UsageError} with everything that is wrong. */
async function check(positionals: readonly string[], values: Values) {
  const faults = producerFaults(values);
  let number = 0;
  if (positionals.length === 1) {
    try {
      number = parseCameraNumber(positionals[0]!);
    } catch (error) {
      faults.push((error as Error).message);
    }
  } else {
    faults.push(
      `Cannot use ${positionals.length} arguments: expected one, the number of the camera`,
    );
  }
  let source: CameraSource | undefined;
  try {
    source = makeSource(values.source, values);
  } catch (error) {
    if (!(error instanceof SourceError)) throw error;
    faults.push(error.message);
  }
  let log: TopicLog | undefined;
  try {
    log = await openLog(values.log);
  } catch (error) {
    if (!(error instanceof LogError) || error.code !== "INVALID") throw error;
    faults.push(error.message);
  }
  if (faults.length > 0 || source === undefined || log === undefined) {
    await log?.close();
    throw new UsageError(faults);
  }
  return { number, source, log };
}

async function publish(
  number: number,
  source: CameraSource,
  log: TopicLog,
  values: Values,
  { signal, print, say }: CommandContext,
): Promise<number> {
  const { topic, fps, limit, json = false } = values;
  const partition = number - 1;
  const clock = systemClock;
  const bar = new ProgressBar({ title: `CAMERA-${number}` });
  const report = (message: string) => {
    bar.clear();
    say(`CAMERA-${number}: ${message}`);
  };
  const kv = source.kind === "collection" ? await openState(values.state) : undefined;
  const producer = await log.producer({
    acks: values.acks,
    compression: values.compression,
    idempotent: values.idempotence ?? values.acks === "all",
  });
  const publisher = new FramePublisher({
    log,
    producer,
    topic,
    partition,
    bufferFrames: values.buffer,
    overflow: overflowOf(source.kind, values),
    lingerMs: values["linger-ms"],
    batchBytes: values["batch-bytes"],
    clock,
    report,
  });
  say(`CAMERA-${number}: ${source.description} to partition ${partition} of ${topic}, ${log.url}`);
  const meter = new Meter(clock.monotonic());
  const tick = setInterval(() => {
    const progress = meter.progress(number, publisher.stats, clock.monotonic());
    if (json) print(JSON.stringify({ type: "progress", progress }));
  }, PROGRESS_EVERY_MS);
  let failure: SourceError | LogError | undefined;
  let summary: CameraSummary | undefined;
  try {
    const stopTarget = new AbortController();
    summary = await runCamera({
      number,
      source,
      publisher,
      clock,
      signal,
      report,
      ...(kv === undefined ? {} : {
        target: new LogTarget({
          log,
          topic,
          partition,
          kv,
          clock,
          signal: AbortSignal.any([signal, stopTarget.signal]),
        }),
      }),
      ...(fps === undefined ? {} : { fps }),
      ...(limit === undefined ? {} : { limit }),
      onFrame() {
        if (json) return;
        const { published } = publisher.stats;
        const expected = source.expectedImages?.();
        const total = limit === undefined || expected === undefined
          ? limit ?? expected
          : Math.min(limit, expected);
        bar.update(published, total, meter.text(publisher.stats, clock.monotonic()));
      },
    });
  } catch (error) {
    if (!(error instanceof SourceError) && !(error instanceof LogError)) throw error;
    failure = error;
  } finally {
    clearInterval(tick);
    kv?.close();
  }
  bar.clear();
  const stats = summary ?? publisher.stats;
  const seconds = meter.seconds(clock.monotonic());
  if (failure !== undefined) report(failure.message);
  if (json) {
    print(JSON.stringify({
      type: "summary",
      camera: `CAMERA-${number}`,
      partition,
      published: stats.published,
      dropped: stats.dropped,
      bytes: stats.bytes,
      seconds,
    }));
  } else {
    print(
      `CAMERA-${number}: ${stats.published} frames published, ${stats.dropped} dropped, ${
        megabytes(stats.bytes)
      } in ${seconds.toFixed(1)} s`,
    );
  }
  return failure === undefined && stats.droppedBy.stopped === 0 ? 0 : 1;
}

async function openState(path: string): Promise<Deno.Kv> {
  await Deno.mkdir(dirname(path), { recursive: true });
  return await Deno.openKv(path);
}

/** Rates of the last second. */
class Meter {
  readonly #start: number;
  #last = { at: 0, published: 0, framesPerSecond: 0 };

  constructor(now: number) {
    this.#start = now;
    this.#last.at = now;
  }

  seconds(now: number): number {
    return Math.round(now - this.#start) / 1000;
  }

  progress(number: number, stats: PublisherStats, now: number) {
    const { published, dropped, bytes, buffered } = stats;
    this.#measure(published, now);
    return {
      camera: `CAMERA-${number}`,
      partition: number - 1,
      published,
      dropped,
      bytes,
      buffered,
      seconds: this.seconds(now),
      framesPerSecond: Number(this.#last.framesPerSecond.toFixed(1)),
    };
  }

  text({ published, dropped, bytes }: PublisherStats, now: number): string {
    if (now - this.#last.at >= PROGRESS_EVERY_MS || this.#last.framesPerSecond === 0) {
      this.#measure(published, now);
    }
    return `${published} frames, ${this.#last.framesPerSecond.toFixed(1)}/s, ${megabytes(bytes)}` +
      (dropped > 0 ? `, ${dropped} dropped` : "");
  }

  #measure(published: number, now: number): void {
    const seconds = (now - this.#last.at) / 1000;
    if (seconds <= 0) return;
    const framesPerSecond = (published - this.#last.published) / seconds;
    this.#last = { at: now, published, framesPerSecond };
  }
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}
