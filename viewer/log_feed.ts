// A feed of unprocessed partitions from a log. Reads a partition only while it has viewers.
import { type Clock, systemClock } from "../runtime/base/clock.ts";
import { messageOf } from "../runtime/base/errors.ts";
import { Backoff, pause } from "../runtime/base/wait.ts";
import type { Frame } from "../runtime/definition/frame.ts";
import type { Demand, Lane, LaneFeed, LanePicture } from "../runtime/lanes.ts";
import { LogError, type TopicLog } from "../runtime/log/log.ts";
import { type KnownCamera, KnownCameras } from "./known_cameras.ts";
import { LogReads } from "./log_reads.ts";
import { isShown, PartitionLane } from "./partition_lane.ts";
import { isImage } from "./picture.ts";
import { videoCodecOf } from "../runtime/video/access_unit.ts";
import { UnitReader } from "./unit_reader.ts";

export interface LogFeedOptions {
  readonly log: TopicLog;
  readonly topics: readonly string[];
  readonly clock?: Clock;
  /** Reads the registered cameras. */
  readonly cameras?: (() => Promise<readonly KnownCamera[]>) | undefined;
  /** Interval of offset checks while there are viewers, milliseconds. Default 1000. */
  readonly pollMs?: number;
}

/** Frames per read; only the newest picture is shown. */
const READ_AHEAD = 32;
/** Read interval of a lane of which only results are needed, milliseconds. */
const RESULTS_MS = 100;
/** Interval at which the camera's name is read again, milliseconds. */
const IDENTIFY_MS = 30_000;
/** A log that does not answer for this long is unreachable, milliseconds. */
const SILENT_MS = 2_000;
const FIRST_RETRY_MS = 200;

/** Messages about an unreachable log. */
const SILENT = "The log does not answer. Retrying …";
const AWAY = "The log is unreachable";

export class LogFeed implements LaneFeed {
  readonly #reads: LogReads;
  readonly #topics: readonly string[];
  readonly #clock: Clock;
  readonly #pollMs: number;
  readonly #cameras: KnownCameras | undefined;
  readonly #partitions = new Map<string, PartitionLane>();
  readonly #listeners = new Set<(picture: LanePicture) => void>();
  readonly #stop = new AbortController();
  readonly #tasks = new Set<Promise<void>>();
  readonly #units: UnitReader;
  #polling: Promise<void> | undefined;
  #polledAt = -Infinity;
  #problem: string | undefined;

  constructor({ log, topics, cameras, clock = systemClock, pollMs = 1_000 }: LogFeedOptions) {
    this.#reads = new LogReads(log, this.#stop.signal);
    this.#units = new UnitReader(this.#reads);
    this.#topics = topics;
    this.#clock = clock;
    this.#pollMs = pollMs;
    this.#cameras = cameras && new KnownCameras(cameras, clock);
  }

  /** Checks the log for the first time; an unreachable log is retried later. */
  async start(): Promise<void> {
    await Promise.all([this.#cameras?.refresh(), this.#poll()]);
  }

  /** Why the log cannot be read. */
  get problem(): string | undefined {
    const waiting = this.#clock.monotonic() - this.#polledAt;
    if (this.#polling !== undefined && waiting > SILENT_MS) return this.#problem ?? SILENT;
    return this.#problem;
  }

  async measure(): Promise<void> {
    await Promise.all([
      this.#cameras?.refresh(),
      this.#clock.monotonic() - this.#polledAt < this.#pollMs ? this.#polling : this.#poll(),
    ]);
  }

  lanes(): readonly Lane[] {
    void this.measure();
    const { problem } = this;
    return [...this.#partitions.values()].map(({ lane }) => {
      // Cameras publish to the first topic.
      const described = lane.topic === this.#topics[0] ? this.#cameras?.describe(lane) : undefined;
      return problem === undefined ? described ?? lane : { ...described ?? lane, trouble: AWAY };
    });
  }

  latest(lane: string): LanePicture | undefined {
    return this.#partitions.get(lane)?.picture;
  }

  subscribe(listener: (picture: LanePicture) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  demand(lanes: ReadonlyMap<string, Demand>): void {
    for (const [id, partition] of this.#partitions) {
      partition.demand = lanes.get(id);
      if (lanes.has(id) === (partition.reading !== undefined)) continue;
      if (lanes.has(id)) {
        const { signal } = partition.reading = new AbortController();
        const report = (error: unknown) => this.#reportError(partition, error);
        this.#spawn(this.#follow(signal, report, (...until) => this.#readOn(partition, ...until)));
        const found = partition.findings;
        // The other task reports problems with the log.
        this.#spawn(
          this.#follow(
            signal,
            () => {},
            (...until) => found.follow(this.#reads, partition.lane, this.#clock, ...until),
          ),
        );
      } else {
        partition.reading!.abort();
        partition.reading = undefined;
        partition.rest();
      }
    }
  }

  /** Reads the newest frame of a lane without viewers. */
  async refresh(lane: string): Promise<LanePicture | undefined> {
    const partition = this.#partitions.get(lane);
    if (partition === undefined || partition.reading !== undefined) return partition?.picture;
    const { latest } = await this.#reads.offsets(partition.lane);
    if (partition.refreshedTo === latest) return partition.picture;
    const frame = await this.#reads.lastBefore(partition.lane, latest);
    partition.refreshedTo = latest;
    if (frame !== undefined) await this.#take(partition, frame, false);
    return partition.picture;
  }

  /** Stops all reading. Does not close the log. */
  async close(): Promise<void> {
    this.#stop.abort(new Error("The feed is closed"));
    this.#listeners.clear();
    await this.#polling;
    await Promise.all(this.#tasks);
    await this.#units.close();
    await this.#reads.close();
  }

  #spawn(task: Promise<void>): void {
    this.#tasks.add(task);
    void task.finally(() => this.#tasks.delete(task));
  }

  /** Repeats `read` after failures, until the signal aborts. */
  async #follow(
    aborted: AbortSignal,
    report: (error: unknown) => void,
    read: (signal: AbortSignal, onFrames: () => void) => Promise<void>,
  ): Promise<void> {
    const signal = AbortSignal.any([aborted, this.#stop.signal]);
    const backoff = new Backoff({ minDelayMs: FIRST_RETRY_MS });
    while (!signal.aborted) {
      try {
        await read(signal, () => backoff.reset());
      } catch (error) {
        if (signal.aborted) return;
        const expired = error instanceof LogError && error.code === "OFFSET_OUT_OF_RANGE";
        if (!expired) report(error);
        await pause(backoff.next(), signal, this.#clock);
      }
    }
  }

  /** Reads a partition, starting at its last frame. */
  async #readOn(
    partition: PartitionLane,
    signal: AbortSignal,
    onFrames: () => void,
  ): Promise<void> {
    const { latest } = await this.#reads.offsets(partition.lane);
    const newest = await this.#reads.lastBefore(partition.lane, latest);
    const from = newest?.offset ?? latest;
    const reader = await this.#reads.open(partition.lane, from, (problem) => {
      if (problem !== undefined) this.#reportError(partition, new Error(problem.message));
    });
    try {
      while (!signal.aborted) {
        const frames = await reader.read(READ_AHEAD, signal);
        onFrames();
        partition.arrived(frames.filter(({ offset }) => offset >= latest), this.#clock);
        const newest = frames.findLast(isShown);
        if (newest !== undefined) await this.#take(partition, newest, newest.offset >= latest);
        // Its pictures are sent by other means.
        if (partition.demand === "results") await this.#clock.sleep(RESULTS_MS, signal);
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

  async #take(partition: PartitionLane, newest: Frame, fresh: boolean): Promise<void> {
    const video = videoCodecOf(newest.headers["content-type"]);
    if (video !== undefined && partition.demand === "results" && partition.picture !== undefined) {
      partition.found(newest);
    } else {
      const frame = await this.#units.image(newest);
      if (frame === undefined || !isImage(frame.value)) return;
      partition.show(frame, video);
    }
    partition.seen(newest, this.#clock, fresh);
    for (const listener of this.#listeners) listener(partition.picture!);
  }

  /** Reads the camera's name, even without viewers. */
  async #findIdentity(partition: PartitionLane): Promise<void> {
    try {
      const frame = await this.#reads.newest(partition.lane);
      if (frame !== undefined) partition.seen(frame, this.#clock, false);
    } catch {
      // The poll reports problems with the log; the name is read again later.
    }
  }

  #reportError(partition: PartitionLane, error: unknown): void {
    const exception = messageOf(error);
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
        this.#topics.map((topic) => this.#reads.log.partitionCount(topic)),
      );
      this.#topics.forEach((topic, index) => {
        for (let number = 0; number < counts[index]!; number++) this.#add(topic, number, index);
      });
      await Promise.all([...this.#partitions.values()].map((each) => this.#check(each)));
      this.#problem = undefined;
    } catch (error) {
      const message = messageOf(error);
      const lasts = error instanceof LogError && !error.retryable;
      this.#problem = lasts ? message : `${message}. Retrying …`;
      for (const partition of this.#partitions.values()) this.#reportError(partition, error);
    }
  }

  /** Computes the rate of a partition without readers from its end offset. */
  async #check(partition: PartitionLane): Promise<void> {
    const { latest } = await this.#reads.offsets(partition.lane);
    const at = this.#clock.monotonic();
    const blind = partition.isBlind(this.#clock);
    if (latest > 0 && (blind || at - partition.identifiedAt >= IDENTIFY_MS)) {
      partition.identifiedAt = at;
      const found = this.#findIdentity(partition);
      this.#spawn(found);
      // A lane must have a name and the age of its last frame from the start.
      if (blind) await found;
    }
    partition.polledTo(latest, this.#clock);
  }

  #add(topic: string, number: number, topicIndex: number): void {
    // The topic is in the id except for the first topic, whose lanes have short ids.
    const id = topicIndex === 0 ? `raw-${number}` : `raw-${number}-${topic}`;
    if (this.#partitions.has(id)) return;
    this.#partitions.set(id, new PartitionLane(id, topic, number));
  }
}
