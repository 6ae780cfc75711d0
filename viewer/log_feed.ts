/**
 * Lanes made from a log alone: each partition of some topics as it is. Reads a partition only while
 * somebody looks at it.
 *
 * @module
 */
import { type Clock, systemClock } from "../runtime/base/clock.ts";
import { cameraOf, cameraOfPartition, type Frame, laneName } from "../runtime/definition/frame.ts";
import type { Lane, LanePicture } from "../runtime/lanes.ts";
import { lastFramesFrom } from "../runtime/log/last_frames.ts";
import { LogError, type LogReader, type TopicLog } from "../runtime/log/log.ts";
import type { StreamingQueryProgress } from "../runtime/definition/progress.ts";
import { videoCodecOf } from "../runtime/video/access_unit.ts";
import type { DemandFeed } from "./hub.ts";
import { isImage } from "./picture.ts";
import { UnitReader } from "./unit_reader.ts";

/** What a feed is made from. */
export interface LogFeedOptions {
  readonly log: TopicLog;
  readonly topics: readonly string[];
  readonly clock?: Clock;
  /** How often offsets are looked at while somebody looks at the lanes. Default 1000. */
  readonly pollMs?: number;
}

/** Frames that latency and rate are taken over. */
const RECENT = 64;
/** Frames that one lane holds ready; older ones are overtaken. */
const READ_AHEAD = 32;
/** How long the frames that a picture hangs on may take to be read, milliseconds. */
const READ_TIMEOUT_MS = 5_000;
const FIRST_RETRY_MS = 200;
const LONGEST_RETRY_MS = 5_000;

interface Partition {
  lane: Lane;
  picture: LanePicture | undefined;
  reading: AbortController | undefined;
  /** Arrivals, epoch milliseconds, and latencies of the last frames. */
  readonly arrivals: number[];
  readonly latencies: number[];
  /** Offset seen at the last poll, and when. */
  polled: { latest: number; at: number } | undefined;
  /** End of the partition when its newest frame was looked for last. */
  refreshedTo?: number;
}

/** A feed of raw partitions. */
export class LogFeed implements DemandFeed {
  readonly #log: TopicLog;
  readonly #topics: readonly string[];
  readonly #clock: Clock;
  readonly #pollMs: number;
  readonly #partitions = new Map<string, Partition>();
  readonly #listeners = new Set<(picture: LanePicture) => void>();
  readonly #stop = new AbortController();
  readonly #tasks = new Set<Promise<void>>();
  readonly #units = new UnitReader((topic, partition, from, to) =>
    this.#readRange(topic, partition, from, to)
  );
  #reader: Promise<LogReader> | undefined;
  #polling: Promise<void> | undefined;
  #polledAt = -Infinity;
  #problem: string | undefined;

  constructor({ log, topics, clock = systemClock, pollMs = 1_000 }: LogFeedOptions) {
    if (topics.length === 0) {
      throw new RangeError("Cannot show a log without topics: expected at least one");
    }
    this.#log = log;
    this.#topics = topics;
    this.#clock = clock;
    this.#pollMs = pollMs;
  }

  /** Looks at the log for the first time; a log that is away is tried again by itself. */
  async start(): Promise<void> {
    await this.#poll();
  }

  /** Why the log cannot be read at the moment. */
  get problem(): string | undefined {
    return this.#problem;
  }

  lanes(): readonly Lane[] {
    if (this.#clock.monotonic() - this.#polledAt >= this.#pollMs) void this.#poll();
    return [...this.#partitions.values()].map(({ lane }) => lane);
  }

  latest(lane: string): LanePicture | undefined {
    return this.#partitions.get(lane)?.picture;
  }

  subscribe(listener: (picture: LanePicture) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  progress(): readonly StreamingQueryProgress[] {
    return [];
  }

  history(): { progress: readonly StreamingQueryProgress[]; plan: string } {
    return { progress: [], plan: "" };
  }

  demand(lanes: ReadonlySet<string>): void {
    for (const [id, partition] of this.#partitions) {
      if (lanes.has(id) === (partition.reading !== undefined)) continue;
      if (lanes.has(id)) {
        partition.reading = new AbortController();
        this.#spawn(this.#follow(partition, partition.reading.signal));
      } else {
        partition.reading!.abort();
        partition.reading = undefined;
        partition.arrivals.length = partition.latencies.length = 0;
      }
    }
  }

  /** Reads the newest frame of a lane that nobody follows. */
  async refresh(lane: string): Promise<LanePicture | undefined> {
    const partition = this.#partitions.get(lane);
    if (partition === undefined || partition.reading !== undefined) return partition?.picture;
    const { topic, partition: number } = partition.lane;
    const { earliest, latest } = await this.#log.offsets(topic, number);
    if (latest <= earliest || partition.refreshedTo === latest) return partition.picture;
    const signal = AbortSignal.any([this.#stop.signal, AbortSignal.timeout(2_000)]);
    const newest = await lastFramesFrom(this.#log, topic, number, 1, signal);
    const reader = await (await this.#logReader()).open(topic, number, newest);
    try {
      const frame = (await reader.read(1, signal, latest))[0];
      partition.refreshedTo = latest;
      if (frame !== undefined) await this.#take(partition, frame);
    } finally {
      await reader.close();
    }
    return partition.picture;
  }

  /** Ends all reading. The log itself is its owner's. */
  async close(): Promise<void> {
    this.#stop.abort(new Error("The feed is closed"));
    this.#listeners.clear();
    await this.#polling;
    await Promise.all(this.#tasks);
    await this.#units.close();
    await (await this.#reader)?.close();
  }

  #spawn(task: Promise<void>): void {
    this.#tasks.add(task);
    void task.finally(() => this.#tasks.delete(task));
  }

  /** Follows a partition from its last frame on, until the signal aborts. */
  async #follow(partition: Partition, aborted: AbortSignal): Promise<void> {
    const signal = AbortSignal.any([aborted, this.#stop.signal]);
    let retry = FIRST_RETRY_MS;
    while (!signal.aborted) {
      try {
        await this.#readOn(partition, signal, () => retry = FIRST_RETRY_MS);
      } catch (error) {
        if (signal.aborted) return;
        const expired = error instanceof LogError && error.code === "OFFSET_OUT_OF_RANGE";
        if (!expired) this.#say(partition, error);
        try {
          await this.#clock.sleep(retry, signal);
        } catch {
          return; // aborted while it waited
        }
        retry = Math.min(retry * 2, LONGEST_RETRY_MS);
      }
    }
  }

  async #readOn(partition: Partition, signal: AbortSignal, onFrames: () => void): Promise<void> {
    const { topic, partition: number } = partition.lane;
    const newest = await lastFramesFrom(this.#log, topic, number, 1, signal);
    const reader = await (await this.#logReader()).open(
      topic,
      number,
      newest,
      (problem) => this.#say(partition, new Error(problem)),
    );
    try {
      while (!signal.aborted) {
        const frames = await reader.read(READ_AHEAD, signal);
        onFrames();
        const now = this.#clock.now();
        for (const frame of frames) {
          partition.arrivals.push(now);
          partition.latencies.push(Math.max(0, now - frame.timestamp));
        }
        partition.arrivals.splice(0, partition.arrivals.length - RECENT);
        partition.latencies.splice(0, partition.latencies.length - RECENT);
        const newest = frames.findLast(isShown);
        if (newest !== undefined) await this.#take(partition, newest);
        const waiting = reader.status === "waiting-for-log";
        partition.lane = {
          ...partition.lane,
          state: waiting ? "restarting" : "running",
          lagFrames: Math.max(0, reader.latest - reader.position),
        };
      }
    } finally {
      await reader.close();
    }
  }

  /** Frames of [from, to) that the log holds. */
  async #readRange(topic: string, partition: number, from: number, to: number): Promise<Frame[]> {
    const { earliest, latest } = await this.#log.offsets(topic, partition);
    const end = Math.min(to, latest);
    const frames: Frame[] = [];
    if (Math.max(from, earliest) >= end) return frames;
    const reader = await (await this.#logReader()).open(topic, partition, Math.max(from, earliest));
    try {
      const signal = AbortSignal.any([this.#stop.signal, AbortSignal.timeout(READ_TIMEOUT_MS)]);
      while (reader.position < end) {
        const more = await reader.read(READ_AHEAD, signal, end);
        if (more.length === 0) break;
        frames.push(...more.filter(({ offset }) => offset < end));
      }
    } finally {
      await reader.close();
    }
    return frames;
  }

  async #take(partition: Partition, newest: Frame): Promise<void> {
    const frame = await this.#units.image(newest);
    if (frame === undefined || !isImage(frame.value)) return;
    const { lane } = partition;
    const now = this.#clock.now();
    partition.picture = {
      lane: lane.id,
      offset: frame.offset,
      timestamp: frame.timestamp,
      contentType: frame.headers["content-type"] ?? "image/jpeg",
      bytes: frame.value.slice(),
      headers: frame.headers,
    };
    const sorted = partition.latencies.toSorted((a, b) => a - b);
    const rate = rateOf(partition.arrivals, now);
    partition.lane = {
      ...lane,
      camera: cameraOf(frame),
      lastFrameTimestamp: frame.timestamp,
      lastFrameArrival: now,
      framesPerSecondIn: rate,
      framesPerSecondOut: rate,
      ...(sorted.length === 0 ? {} : {
        latencyP50Ms: sorted[sorted.length >> 1]!,
        latencyP99Ms: sorted[Math.floor(sorted.length * 0.99)]!,
      }),
    };
    for (const listener of this.#listeners) listener(partition.picture);
  }

  #say(partition: Partition, error: unknown): void {
    const exception = error instanceof Error ? error.message : String(error);
    partition.lane = { ...partition.lane, state: "restarting", exception };
  }

  #poll(): Promise<void> {
    this.#polledAt = this.#clock.monotonic();
    return this.#polling ??= this.#pollOnce().finally(() => {
      this.#polling = undefined;
      this.#polledAt = this.#clock.monotonic();
    });
  }

  async #pollOnce(): Promise<void> {
    try {
      const counts = await Promise.all(
        this.#topics.map((topic) => this.#log.partitionCount(topic)),
      );
      this.#topics.forEach((topic, index) => {
        for (let number = 0; number < counts[index]!; number++) this.#add(topic, number, index);
      });
      await Promise.all([...this.#partitions.values()].map((each) => this.#look(each)));
      this.#problem = undefined;
    } catch (error) {
      if (this.#stop.signal.aborted) return;
      this.#problem = error instanceof Error ? error.message : String(error);
      for (const partition of this.#partitions.values()) this.#say(partition, error);
    }
  }

  /** Rate of a partition that nobody reads: by how far its end has moved. */
  async #look(partition: Partition): Promise<void> {
    const { lane } = partition;
    const { latest } = await this.#log.offsets(lane.topic, lane.partition);
    const at = this.#clock.monotonic();
    const { polled } = partition;
    partition.polled = { latest, at };
    const seconds = polled === undefined ? 0 : (at - polled.at) / 1_000;
    const recovered = lane.state === "restarting" && partition.reading === undefined;
    if (recovered) {
      const { exception: _, ...healthy } = lane;
      partition.lane = { ...healthy, state: "running" };
    }
    if (partition.reading !== undefined) {
      const rate = rateOf(partition.arrivals, this.#clock.now());
      partition.lane = { ...partition.lane, framesPerSecondIn: rate, framesPerSecondOut: rate };
    } else if (polled !== undefined && seconds > 0.2) {
      const frames = Math.max(0, latest - polled.latest);
      partition.lane = {
        ...partition.lane,
        framesPerSecondIn: frames / seconds,
        framesPerSecondOut: 0,
        ...(frames > 0 ? { lastFrameArrival: this.#clock.now() } : {}),
      };
    }
  }

  #add(topic: string, number: number, topicIndex: number): void {
    // Topics may hold characters that a URL does not; the first topic's lanes have the short names.
    const id = topicIndex === 0 ? `raw-${number}` : `raw-${number}-${topic}`;
    if (this.#partitions.has(id)) return;
    this.#partitions.set(id, {
      lane: {
        id,
        query: "raw",
        name: laneName(number),
        topic,
        partition: number,
        camera: cameraOfPartition(number),
        state: "running",
        framesPerSecondIn: 0,
        framesPerSecondOut: 0,
        lagFrames: 0,
        dropped: 0,
        deadLettered: 0,
        gaps: 0,
        restarts: 0,
      },
      picture: undefined,
      reading: undefined,
      arrivals: [],
      latencies: [],
      polled: undefined,
    });
  }

  #logReader(): Promise<LogReader> {
    return this.#reader ??= this.#log.reader({
      maxBufferedFrames: READ_AHEAD,
      maxBufferedBytes: 4 * 1024 * 1024,
    });
  }
}

function isShown({ value, headers }: Frame): boolean {
  return isImage(value) || videoCodecOf(headers["content-type"]) !== undefined;
}

/** Arrivals a second, over the last few seconds of `arrivals`. */
function rateOf(arrivals: readonly number[], now: number): number {
  const recent = arrivals.filter((arrival) => now - arrival <= 5_000);
  if (recent.length < 2) return 0;
  const span = Math.max(now - recent[0]!, 1);
  return ((recent.length - 1) * 1_000) / span;
}
