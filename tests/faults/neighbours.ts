// Sixteen cameras, eight of which do one kind of wrong each: what the other eight notice of it.
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import type { Frame } from "../../runtime/definition/frame.ts";
import type { StreamingQueryProgress } from "../../runtime/definition/progress.ts";
import type { QueryErrorEvent } from "../../runtime/driver/query_error.ts";
import type { LogRecord, TopicLog } from "../../runtime/log/log.ts";
import { FramelaneProcess } from "../support/framelane.ts";
import { records } from "../support/frames.ts";
import { readAll, withLog } from "../support/log.ts";
import { bomb, withSegment } from "../runtime/image/fixtures.ts";

const CAMERAS = 16;
/** Cameras that do nothing wrong come first. */
const GOOD = 8;
const TOPIC = "VideoStreaming";
const QUERY = fileURLToPath(new URL("../support/queries/neighbours.ts", import.meta.url));

/** What the good cameras did. */
export interface NeighboursRun {
  /** Their output records, by partition. */
  readonly outputs: readonly (readonly Frame[])[];
  /** Their progress. */
  readonly progress: readonly StreamingQueryProgress[];
  /** From the first frame until the good ones had all their outputs. */
  readonly seconds: number;
  /** Lines for people. */
  readonly said: readonly string[];
  /** Lines of `--json` about errors. */
  readonly errors: readonly QueryErrorEvent[];
}

/** How to run them. */
export interface NeighboursOptions {
  /** Frames of each camera. */
  readonly frames: number;
  /** Frames a second; all at once when absent. */
  readonly fps?: number;
  /** Whether the bad ones do wrong. */
  readonly evil?: boolean;
  readonly executors: number;
  /** What is waited for beside the outputs of the good ones. */
  readonly until?: (process: FramelaneProcess) => boolean;
}

/** Runs all cameras until the good ones have their outputs. */
export async function neighbours(
  { frames, fps, evil = false, executors, until }: NeighboursOptions,
): Promise<NeighboursRun> {
  const run: { result?: NeighboursRun } = {};
  await withLog(async (url, log) => {
    await log.createTopic(TOPIC, CAMERAS);
    await log.createTopic("out", CAMERAS);
    if (fps === undefined) await publish(log, frames, undefined, evil);
    const process = new FramelaneProcess([
      "queries",
      QUERY,
      "--log",
      url,
      "--executors",
      String(executors),
      "--port",
      "off",
      "--json",
    ], evil ? { env: { FRAMELANE_TEST_EVIL: fps === undefined ? "on" : "spin" } } : {});
    const began = performance.now();
    if (fps !== undefined) await publish(log, frames, fps, evil);
    const end = (partition: number) =>
      process.progress(partition).at(-1)?.sources[0]?.endOffset[TOPIC]?.[partition] ?? 0;
    await process.until(
      "the outputs of the good cameras",
      () =>
        Array.from({ length: GOOD }, (_, partition) => end(partition)).every((at) => at >= frames),
      120_000,
    );
    const seconds = (performance.now() - began) / 1000;
    if (until !== undefined) await process.until("all to be named", until, 120_000);
    await process.stop();
    run.result = {
      outputs: await Promise.all(
        Array.from({ length: GOOD }, (_, partition) => readAll(log, "out", partition)),
      ),
      progress: Array.from({ length: GOOD }, (_, partition) => process.progress(partition)).flat(),
      seconds,
      said: process.said,
      errors: process.lines.flatMap((line) => line.type === "error" ? [line] : []),
    };
  });
  return run.result!;
}

/** The records of the log are the same, in the same order. */
export function assertSame(disturbed: NeighboursRun, undisturbed: NeighboursRun): void {
  const plain = ({ outputs }: NeighboursRun) =>
    outputs.map((frames) =>
      frames.map(({ key, value, headers, offset }) => ({ key, value, headers, offset }))
    );
  assert.deepEqual(plain(disturbed), plain(undisturbed));
}

/** Appends frames to all partitions, those of camera 9 with bad bytes among them. */
async function publish(
  log: TopicLog,
  frames: number,
  fps: number | undefined,
  evil: boolean,
): Promise<void> {
  const producer = await log.producer();
  const step = fps === undefined ? 50 : 1;
  const began = performance.now();
  for (let from = 0; from < frames; from += step) {
    for (let partition = 0; partition < CAMERAS; partition++) {
      const start = fps === undefined ? {} : { start: Date.now() - from * 66 };
      const batch = records(partition + 1, Math.min(step, frames - from), { from, ...start });
      const wrong = evil && partition === 8;
      await producer.append(
        TOPIC,
        partition,
        wrong ? batch.map((record, at) => damaged(record, from + at)) : batch,
      );
    }
    const due = fps === undefined ? 0 : began + (from + step) * 1000 / fps - performance.now();
    if (due > 0) await new Promise((resolve) => setTimeout(resolve, due));
  }
  await producer.close();
}

/** What camera 9 sends, in turn; the last is taken, and takes long. */
const DAMAGE: readonly ((value: Uint8Array) => Uint8Array)[] = [
  (value) => value.subarray(0, value.length >> 1),
  (value) => value.map((byte, at) => at < 20 ? byte : ~byte),
  () => bomb(4000, 4000, 10_000),
  (value) => value,
  (value) => withSegment(value, 0xdd, new Uint8Array()),
  (value) => withSegment(value, 0xd8, new Uint8Array(2)),
  (value) => value,
  () => bomb(2000, 1000, 90, 0xc2),
];

/** Every fortieth frame is of the last kind. */
function damaged({ value, ...record }: LogRecord, offset: number): LogRecord {
  const kind = offset % 40 === 39 ? DAMAGE.length - 1 : offset % (DAMAGE.length - 1);
  return { ...record, value: DAMAGE[kind]!(value) };
}
