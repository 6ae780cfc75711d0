// Sixteen cameras, every second one of H.264, eight of which do one kind of wrong each from some time on:
// what the other eight notice of it, beside the calm before.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { fileURLToPath } from "node:url";
import type { QueryErrorEvent } from "../../runtime/driver/manager.ts";
import type { LogRecord, TopicLog } from "../../runtime/log/log.ts";
import { FramelaneProcess } from "../support/framelane.ts";
import { trialUnits } from "../support/access_units.ts";
import { jpegOf, records } from "../support/frames.ts";
import { withLog } from "../support/log.ts";
import { PATIENCE_MS, until } from "../support/until.ts";
import { bomb, withSegment } from "../runtime/image/fixtures.ts";

const CAMERAS = 16;
/** Cameras that do nothing wrong come first. */
const GOOD = 8;
const TOPIC = "VideoStreaming";
const QUERY = fileURLToPath(new URL("../support/queries/neighbours.ts", import.meta.url));

/** An output record of a good camera, as a reader of its topic sees it. */
export interface Arrival {
  /** SHA-256 of its bytes. */
  readonly hash: string;
  readonly key: string | null;
  readonly headers: Readonly<Record<string, string>>;
  /** When the frame was taken, and when its output was read, epoch milliseconds. */
  readonly taken: number;
  readonly arrived: number;
}

/** What the good cameras did. */
export interface NeighboursRun {
  /** Of each good camera, in order: while all went well, and beside those that do wrong. */
  readonly calm: readonly (readonly Arrival[])[];
  readonly disturbed: readonly (readonly Arrival[])[];
  /** Lines for people. */
  readonly said: readonly string[];
  /** Lines of `--json` about errors. */
  readonly errors: readonly QueryErrorEvent[];
}

/** How to run them. */
export interface NeighboursOptions {
  /** Frames of each camera in each phase. */
  readonly frames: number;
  /** Frames a second; all at once when absent. */
  readonly fps?: number;
  /** Frames of each camera before the calm phase, while everything starts. */
  readonly first?: number;
  /** One of them holds its thread for ever, once. */
  readonly spins?: boolean;
  readonly executors: number;
}

/** What must be said of those that do wrong, whose first wrong begins at this offset. */
function named(from: number): RegExp[] {
  const where = (place: number) => `.* offset ${from + place}: `;
  const source = "\\(tests/support/queries/neighbours.ts:\\d+:\\d+\\)";
  return [
    "PARTITION-10 blocks its thread",
    `PARTITION-11 dead-letters an input: Operator map\\(gauge\\)${
      where(7)
    }Cannot read gauge ${source}`,
    `PARTITION-11 dead-letters an input: Operator map\\(later\\)${where(17)}Cannot `,
    "PARTITION-12: Operator map\\(later\\) has not ended",
    "PARTITION-14: Uncaught error: A promise that was forgotten",
    "PARTITION-14: Uncaught error: null was thrown",
    "PARTITION-14 .*Cannot register a timer of alarm at NaN",
    `PARTITION-14 failed: Operator map\\(gauge\\)${where(17)}Executor .* was ended from within`,
    `PARTITION-15 dead-letters an input: Operator models${where(7)}Cannot use model .*empty.json:`,
  ].map((line) => new RegExp(line));
}

/** Runs all cameras, in calm and then with eight that do wrong. */
export async function neighbours(
  { frames, fps, first = 0, spins = false, executors }: NeighboursOptions,
): Promise<NeighboursRun> {
  const run: { result?: NeighboursRun } = {};
  const from = first + frames;
  await withLog(async (url, log) => {
    await log.createTopic(TOPIC, CAMERAS);
    await log.createTopic("out", CAMERAS);
    const process = new FramelaneProcess([
      ...["queries", QUERY, "--log", url, "--executors", String(executors)],
      ...["--port", "off", "--json"],
    ], {
      env: {
        FRAMELANE_TEST_EVIL: String(from),
        ...(spins ? { FRAMELANE_TEST_SPIN: "on" } : {}),
      },
    });
    const over = new AbortController();
    const arrivals = Array.from({ length: GOOD }, (): Arrival[] => []);
    const reading = Promise.all(
      arrivals.map((all, partition) => follow(log, partition, all, over.signal)),
    );
    try {
      const phases = [[0, first, false], [first, frames, false], [from, frames, true]] as const;
      for (const [start, count, evil] of phases) {
        await publish(log, { start, count, fps, evil });
        const late = AbortSignal.timeout(PATIENCE_MS);
        while (arrivals.some((all) => all.length < start + count)) {
          if (late.aborted || process.hasEnded) {
            const counts = arrivals.map((all) => all.length).join(", ");
            throw new Error(`Outputs of the good cameras: ${counts}\n${process.output()}`);
          }
          await new Promise((resolve) => setTimeout(resolve, 20));
        }
      }
      const names = named(from);
      const unnamed = () => names.filter((name) => !process.said.some((line) => name.test(line)));
      await process.until("all to be named", () => unnamed().length === 0)
        .catch((error) => {
          throw new Error(`Missing: ${unnamed()}`, { cause: error });
        });
      for (const partition of Object.keys(DAMAGE).map(Number)) {
        const letters = async () => (await log.offsets(`${TOPIC}.dead-letters`, partition)).latest;
        await until(`dead letters of ${partition}`, async () => await letters() > 0);
      }
    } finally {
      over.abort();
      await process.stop();
      await reading;
    }
    run.result = {
      calm: arrivals.map((all) => all.slice(first, from)),
      disturbed: arrivals.map((all) => all.slice(from)),
      said: process.said,
      errors: process.lines.flatMap((line) => line.type === "error" ? [line] : []),
    };
  });
  return run.result!;
}

/** Reads the outputs of a camera as they come. */
async function follow(
  log: TopicLog,
  partition: number,
  arrivals: Arrival[],
  signal: AbortSignal,
): Promise<void> {
  const reader = await log.reader();
  const source = await reader.open("out", partition, 0);
  try {
    while (!signal.aborted) {
      const frames = await source.read(100, signal);
      const arrived = Date.now();
      for (const { key, value, headers, timestamp } of frames) {
        const hash = createHash("sha256").update(value).digest("hex");
        arrivals.push({ hash, key, headers, taken: timestamp, arrived });
      }
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    await source.close();
    await reader.close();
  }
}

/**
 * All good cameras send the same pictures in both phases: their outputs must be the same bytes, and
 * nothing may be lost, doubled or out of order.
 */
export function assertSame({ calm, disturbed }: NeighboursRun): void {
  for (const phase of [calm, disturbed]) {
    for (const [partition, all] of phase.entries()) {
      const start = Number(all[0]!.headers["seq"]);
      const expected = calm[partition]!.map(({ hash }) => hash);
      assert.deepEqual(all.map(({ hash }) => hash), expected, `outputs of partition ${partition}`);
      for (const [i, { key, headers }] of all.entries()) {
        assert.equal(key, `CAMERA-${partition + 1}`);
        assert.equal(headers["seq"], String(start + i));
        assert.equal(headers["source-offset"], String(start + i));
      }
    }
  }
}

/** Appends frames to all partitions; those of cameras 9 and 10 are bad. */
async function publish(
  log: TopicLog,
  { start, count, fps, evil }: {
    readonly start: number;
    readonly count: number;
    readonly fps: number | undefined;
    readonly evil: boolean;
  },
): Promise<void> {
  const unitsOf = await trialUnits();
  const producer = await log.producer();
  const step = fps === undefined ? 50 : 1;
  const began = performance.now();
  for (let done = 0; done < count; done += step) {
    const from = start + done;
    for (let partition = 0; partition < CAMERAS; partition++) {
      const units = partition in DAMAGE ? undefined : unitsOf(partition + 1);
      const batch = records(partition + 1, Math.min(step, count - done), {
        ...{ from, start: Date.now() - from * 66, units, first: start },
      }).map((record, at) =>
        // The same in each phase.
        units === undefined ? { ...record, value: jpegOf(done + at) } : record
      );
      const damage = evil ? DAMAGE[partition] : undefined;
      await producer.append(
        TOPIC,
        partition,
        damage === undefined
          ? batch
          : batch.map((record, at) => damaged(record, done + at, damage)),
      );
    }
    const due = fps === undefined ? 0 : began + (done + step) * 1000 / fps - performance.now();
    if (due > 0) await new Promise((resolve) => setTimeout(resolve, due));
  }
  await producer.close();
}

type Change = (value: Uint8Array) => Uint8Array;
const same: Change = (value) => value;

/** What cameras 9 and 10 send, in turn, by partition. */
const DAMAGE: Readonly<Record<number, readonly Change[]>> = {
  8: [
    (value) => value.subarray(0, value.length >> 1),
    (value) => value.map((byte, at) => at < 20 ? byte : ~byte),
    same,
    (value) => withSegment(value, 0xdd, new Uint8Array()),
    (value) => withSegment(value, 0xd8, new Uint8Array(2)),
    () => new Uint8Array(),
  ],
  // The second is taken, and takes long.
  9: [
    () => bomb(4000, 4000, 10_000),
    ...new Array<Change>(19).fill(same),
    () => bomb(2000, 1000, 90, 0xc2),
    ...new Array<Change>(19).fill(same),
  ],
};

function damaged(
  { value, ...record }: LogRecord,
  number: number,
  changes: readonly Change[],
): LogRecord {
  return { ...record, value: changes[number % changes.length]!(value) };
}
