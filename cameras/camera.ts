// Runs one camera: paces its source and publishes the frames to its partition.
import { messageOf } from "../runtime/base/errors.ts";
import { given } from "../runtime/base/options.ts";
import { cameraOfPartition, type Headers } from "../runtime/definition/frame.ts";
import { aborted, Backoff, pause, waitAtMost } from "../runtime/base/wait.ts";
import { CaptureTimes, type TimeFaults } from "./capture_times.ts";
import { type Lateness, pace, Punctuality } from "./pacing.ts";
import { logTarget } from "./published.ts";
import type { Overflow } from "./frame_buffer.ts";
import { FramePublisher, type PublisherOptions, type PublisherStats } from "./publisher.ts";
import type { CameraStatus } from "./registry.ts";
import type { CameraSettings } from "./settings.ts";
import {
  type CameraSource,
  type PublishTarget,
  SourceError,
  type SourceErrorCode,
  type SourceImage,
} from "./source.ts";
import { type StreamFacts, StreamWatch } from "./stream_facts.ts";
import { DEFAULT_STALL_MS, Patience, untilLeft } from "./watchdog.ts";

/** What the cameras of a process share. */
export interface CameraHost extends Omit<PublisherOptions, "partition" | "report" | "lingerMs"> {
  /** Remembers which images of folders were published. */
  readonly kv?: Deno.Kv | undefined;
  /** By default `drop-oldest` for live sources, `wait` for all others. */
  readonly overflow?: Overflow | undefined;
  /** By default 0, or 10 for `fps: "max"`, since full batches are cheaper. */
  readonly lingerMs?: number | undefined;
}

export interface CameraOptions {
  /** n of `CAMERA-n`, from 1; it publishes to partition n − 1. */
  readonly number: number;
  /** Called at the start, and again after a failure that ends a camera without `keepTrying`. */
  readonly source: () => Promise<CameraSource>;
  /** Of these, `fps`, `stallMs`, `name` and `place` concern the camera itself. */
  readonly settings?: CameraSettings;
  /** Stops after this many frames. */
  readonly limit?: number | undefined;
  /** Tries again after every failure; by default only a live source that may work later is opened again. */
  readonly keepTrying?: boolean;
  readonly signal: AbortSignal;
  readonly report: (message: string) => void;
  /** Called after each published frame; must return immediately. */
  readonly onFrame?: (seq: number) => void;
  /** Called whenever the camera's state or last failure changes. */
  readonly onStatus?: (status: CameraStatus) => void;
}

/** The kind of a failure: of the source, or of anything else. */
type FailureCode = SourceErrorCode | "OTHER";

/** A camera's counts since its start, and facts about its stream. */
export interface CameraStats extends PublisherStats, Lateness, TimeFaults {
  /** How often it failed and tried again, by kind of failure. */
  readonly failures: Readonly<Partial<Record<FailureCode, number>>>;
  readonly stream: StreamFacts;
}

const FLUSH_MS = 5_000;
/** A live camera waits no longer than this for the log. */
const SETTLE_MS = 1_500;
/** After running this long, a camera that fails starts again soon. */
const STABLE_AFTER_MS = 60_000;

const BULK_LINGER_MS = 10;
const GAVE_UP = new Error("The log did not accept the last frames in time");

/** Runs a camera from its creation on. A live source that fails is opened again, without limit. */
export class Camera {
  /**
   * Resolves once its source has ended, the limit is reached or the signal aborts, and the log has stored all
   * its frames. Unless it keeps trying, rejects with a `SourceError` if the source fails permanently, and
   * with a `LogError` if the log rejects the camera permanently.
   */
  readonly ended: Promise<void>;
  readonly #options: CameraOptions;
  readonly #publisher: FramePublisher;
  readonly #target: PublishTarget | undefined;
  readonly #punctuality = new Punctuality();
  readonly #times: CaptureTimes;
  readonly #stream = new StreamWatch();
  readonly #failures: Partial<Record<FailureCode, number>> = {};
  readonly #camera: string;
  readonly #overflow: Overflow | undefined;
  readonly #session = crypto.randomUUID().replaceAll("-", "").slice(0, 16);
  /** Before opening a live source again. */
  readonly #reopening = new Backoff({ minDelayMs: 500, maxDelayMs: 15_000 });
  /** After any other failure. */
  readonly #restarting = new Backoff({ minDelayMs: 1_000, maxDelayMs: 30_000 });
  #source: CameraSource | undefined;
  #status: CameraStatus = { state: "waiting", restarts: 0 };
  #seq = 0;
  #message = "";
  #repeated = 0;

  constructor(host: CameraHost, options: CameraOptions) {
    this.#options = options;
    const { clock, kv } = host;
    const { number, signal, report, settings = {} } = options;
    const partition = number - 1;
    this.#publisher = new FramePublisher({
      ...host,
      partition,
      lingerMs: host.lingerMs ?? (settings.fps === "max" ? BULK_LINGER_MS : 0),
      report,
    });
    this.#target = kv && logTarget({ ...host, partition, kv, signal });
    this.#times = new CaptureTimes(clock, report);
    this.#camera = cameraOfPartition(partition);
    this.#overflow = host.overflow;
    this.ended = this.#run();
  }

  get stats(): CameraStats {
    const { late, behindMs } = this.#punctuality;
    const { clockSteps, timeJumps } = this.#times;
    return {
      ...this.#publisher.stats,
      ...{ late, behindMs, clockSteps, timeJumps },
      stream: this.#stream.facts,
      failures: { ...this.#failures },
    };
  }

  get status(): CameraStatus {
    return this.#status;
  }

  async #run(): Promise<void> {
    const { signal } = this.#options;
    this.#enter("running");
    try {
      let over = false;
      while (!over) over = await this.#attempt();
    } finally {
      await this.#publisher.close();
      this.#enter(signal.aborted ? "stopped" : "ended", this.#status);
    }
  }

  /** Publishes what the source sends. @returns false once it is time to try again after a failure */
  async #attempt(): Promise<boolean> {
    const { signal, keepTrying = false } = this.#options;
    const { clock } = this.#times;
    const startedAt = clock.monotonic();
    try {
      // A log that can be reached creates the partition before the first frame, so that none is dropped.
      await waitAtMost(SETTLE_MS, this.#publisher.ready, clock, signal);
      await this.#publish();
      await this.#flush();
      return true;
    } catch (error) {
      const mayRecover = this.#mayRecover(error);
      if (!keepTrying && !mayRecover) throw error;
      if (signal.aborted) return true;
      if (!mayRecover) {
        this.#source = undefined;
        this.#publisher.recover();
      }
      if (clock.monotonic() - startedAt >= STABLE_AFTER_MS) this.#restarting.reset();
      const delay = (mayRecover ? this.#reopening : this.#restarting).next();
      const code = error instanceof SourceError ? error.code : "OTHER";
      this.#failures[code] = (this.#failures[code] ?? 0) + 1;
      const message = messageOf(error);
      this.#enter("waiting", { error: message, reason: code });
      this.#reportRetry(message, delay);
      await pause(delay, signal, clock);
      return false;
    }
  }

  #enter(state: CameraStatus["state"], { error, reason }: Partial<CameraStatus> = {}): void {
    const before = this.#status;
    const restarts = Object.values(this.#failures).reduce((sum, count) => sum + count, 0);
    this.#status = { state, restarts, ...given({ error, reason }) };
    // A failure that repeats keeps the time when it began.
    if (state !== before.state || error !== before.error) this.#options.onStatus?.(this.#status);
  }

  /** After a normal end, waits for the log without limit; after a stop, for FLUSH_MS. */
  async #flush(): Promise<void> {
    const { signal, report } = this.#options;
    const done = new AbortController();
    const giveUp = new AbortController();
    const timeout = (async () => {
      await aborted(AbortSignal.any([signal, done.signal]));
      if (await pause(FLUSH_MS, done.signal, this.#times.clock)) giveUp.abort(GAVE_UP);
    })();
    try {
      await this.#publisher.flush(giveUp.signal);
    } catch (error) {
      if (error !== GAVE_UP) throw error;
      const { buffered } = this.#publisher.stats;
      report(
        `The log did not accept the last ${buffered} frames within ${
          FLUSH_MS / 1000
        } s: they are lost`,
      );
    } finally {
      done.abort();
      await timeout;
    }
  }

  async #publish(): Promise<void> {
    const { signal } = this.#options;
    try {
      if (signal.aborted) return;
      const source = this.#source ??= await this.#options.source();
      await this.#openOnce(source);
      if (source.kind !== "live" || signal.aborted || this.#limitReached()) return;
      throw new SourceError("ENDED", `Source ${source.description} ended`);
    } catch (error) {
      if (signal.aborted) return;
      // Publish the frames that arrived before the failure.
      if (!this.#mayRecover(error)) await this.#flush();
      throw error;
    }
  }

  /** Publishes images until the source ends, the limit is reached or a live source stalls. */
  async #openOnce(source: CameraSource): Promise<void> {
    const { signal, report, settings = {}, onFrame } = this.#options;
    const { clock } = this.#times;
    const { fps, stallMs = DEFAULT_STALL_MS } = settings;
    const overflow = this.#overflow ?? (source.kind === "live" ? "drop-oldest" : "wait");
    using patience = new Patience(
      source.kind === "live" ? stallMs : Infinity,
      clock,
      new SourceError(
        "ENDED",
        `Source ${source.description} was silent for ${stallMs / 1000} s (--stall)`,
      ),
    );
    const stop = AbortSignal.any([signal, patience.signal]);
    const images = source.open({
      camera: this.#camera,
      clock,
      times: this.#times,
      signal: stop,
      report,
      onOpening: () => patience.renew(Infinity),
      onActivity: () => patience.renew(),
      onPacket: this.#stream.note,
      target: this.#target,
    });
    for await (
      const { image, timestamp } of pace(untilLeft(images, stop), {
        kind: source.kind,
        times: this.#times,
        signal: stop,
        onLate: (ms, heldMs) => this.#punctuality.fallBehind(ms, heldMs, report),
        fps,
      })
    ) {
      // A slow log does not count as silence of the source.
      patience.held = true;
      const seq = this.#seq;
      const { value } = image;
      const headers = frameHeaders(image, this.#session, seq, settings);
      const record = { key: this.#camera, value, timestamp: Math.round(timestamp), headers };
      const delivered = (offset: number) => {
        this.#message = "";
        return image.delivered?.(offset);
      };
      try {
        await this.#publisher.publish({ record, delivered }, overflow, signal);
      } catch (error) {
        if (signal.aborted) return;
        throw error;
      }
      this.#seq++;
      this.#stream.published(image.contentType);
      this.#reopening.reset();
      if (this.#status.state === "waiting") this.#enter("running");
      onFrame?.(seq);
      if (this.#limitReached()) return;
      patience.held = false;
      patience.renew();
    }
    patience.signal.throwIfAborted();
  }

  /** Reports a message that repeats ever less often, until the log has stored a frame. */
  #reportRetry(message: string, delay: number): void {
    const repeated = message === this.#message ? this.#repeated + 1 : 1;
    [this.#message, this.#repeated] = [message, repeated];
    if (!Number.isInteger(Math.log2(repeated))) return;
    const times = repeated === 1 ? "" : ` (${repeated} times)`;
    this.#options.report(
      `${message}${times}; trying again in ${(delay / 1000).toFixed(1)} s`,
    );
  }

  /** A password that worked before is right: a starting server may reject it for a while. */
  #mayRecover(error: unknown): boolean {
    if (this.#source?.kind !== "live" || !(error instanceof SourceError)) return false;
    return error.retryable || (error.code === "UNAUTHORIZED" && this.#seq > 0);
  }

  #limitReached(): boolean {
    const { limit } = this.#options;
    return limit !== undefined && this.#seq >= limit;
  }
}

/** The headers of a frame, including the camera's display name and place. */
export function frameHeaders(
  image: Omit<SourceImage, "value" | "timestamp" | "delivered">,
  session: string,
  seq: number,
  { name, place }: Pick<CameraSettings, "name" | "place"> = {},
): Headers {
  const { contentType, width, height } = image;
  return {
    ...image.headers,
    "content-type": contentType,
    session,
    seq: String(seq),
    ...given({
      width: width?.toString(),
      height: height?.toString(),
      "camera-name": name,
      "camera-place": place,
    }),
  };
}
