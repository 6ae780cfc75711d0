// Runs all registered cameras in one process, isolated from each other.
import { messageOf } from "../runtime/base/errors.ts";
import type { Clock } from "../runtime/base/clock.ts";
import { Backoff, pause } from "../runtime/base/wait.ts";
import type { CameraStats } from "./camera.ts";
import { SourceError } from "./source.ts";
import type { CameraRegistry, CameraStatus, RegisteredCamera } from "./registry.ts";

export interface SupervisedCamera extends CameraStatus {
  readonly number: number;
}

export interface SupervisorOptions {
  readonly registry: Pick<CameraRegistry, "list">;
  /**
   * Runs a camera until its source ends or the signal aborts.
   *
   * @throws if the camera fails: it is restarted later.
   */
  readonly run: (
    camera: RegisteredCamera,
    signal: AbortSignal,
  ) => Promise<Pick<CameraStats, "published">>;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** Called whenever a camera's state or last failure changes. */
  readonly onChange?: (camera: SupervisedCamera) => void;
  /** Prints a message for the user about one camera, or about all. */
  readonly report: (message: string, number?: number) => void;
  /** How often the registry is read, milliseconds; 1 000 by default. */
  readonly pollMs?: number;
}

const POLL_MS = 1_000;
const MIN_RESTART_MS = 1_000;
const MAX_RESTART_MS = 30_000;
/** After running this long, the backoff of a camera is reset. */
const STABLE_AFTER_MS = 60_000;

/** Runs the registered cameras, and follows changes of the registry. */
export class CameraSupervisor {
  readonly #options: SupervisorOptions;
  readonly #cameras = new Map<number, Supervised>();
  /** Removed cameras that are still stopping. */
  readonly #stopping = new Map<number, Promise<void>>();

  constructor(options: SupervisorOptions) {
    this.#options = options;
  }

  get cameras(): SupervisedCamera[] {
    return [...this.#cameras.values()].map((camera) => camera.status)
      .sort((a, b) => a.number - b.number);
  }

  /** Records a failure that a running camera recovers from; undefined once it has. */
  failed(number: number, error: SourceError | undefined): void {
    this.#cameras.get(number)?.failed(error);
  }

  /** Supervises until the signal aborts, then waits for all cameras to end. */
  async run(): Promise<void> {
    const { registry, clock, signal, report, pollMs = POLL_MS } = this.#options;
    let unreadable = false;
    while (!signal.aborted) {
      try {
        this.#follow(await registry.list());
        unreadable = false;
      } catch (error) {
        if (!unreadable) report(`Cannot read the registry: ${messageOf(error)}`);
        unreadable = true;
      }
      await pause(pollMs, signal, clock);
    }
    await Promise.all([
      ...[...this.#cameras.values()].map((camera) => camera.stop()),
      ...this.#stopping.values(),
    ]);
  }

  #follow(
    registered: readonly { readonly camera: RegisteredCamera; readonly version: string }[],
  ): void {
    const { report } = this.#options;
    const numbers = new Set(registered.map(({ camera }) => camera.number));
    for (const [number, camera] of this.#cameras) {
      if (numbers.has(number)) continue;
      this.#cameras.delete(number);
      report("removed", number);
      const stopped = camera.stop().finally(() => this.#stopping.delete(number));
      this.#stopping.set(number, stopped);
    }
    for (const { camera, version } of registered) {
      const running = this.#cameras.get(camera.number);
      if (running?.version === version) continue;
      if (running !== undefined) report("changed", camera.number);
      // The old camera leaves the partition before the new one starts.
      const ready = running?.stop() ?? this.#stopping.get(camera.number) ?? Promise.resolve();
      this.#cameras.set(camera.number, new Supervised(camera, version, ready, this.#options));
    }
  }
}

/** One camera, restarted whenever it fails. */
class Supervised {
  readonly version: string;
  readonly #camera: RegisteredCamera;
  readonly #options: SupervisorOptions;
  readonly #stop = new AbortController();
  readonly #ended: Promise<void>;
  readonly #backoff = new Backoff({ minDelayMs: MIN_RESTART_MS, maxDelayMs: MAX_RESTART_MS });
  #status: CameraStatus = { state: "waiting", restarts: 0 };

  constructor(
    camera: RegisteredCamera,
    version: string,
    ready: Promise<void>,
    options: SupervisorOptions,
  ) {
    this.version = version;
    this.#camera = camera;
    this.#options = options;
    this.#ended = ready.then(() => this.#run());
  }

  get status(): SupervisedCamera {
    return { number: this.#camera.number, ...this.#status };
  }

  /** Records a failure that the camera itself recovers from; undefined once it has. */
  failed(error: SourceError | undefined): void {
    if (this.#status.error === error?.message) return;
    const { state, restarts } = this.#status;
    this.#enter({ state, restarts, ...(error && faultOf(error)) });
  }

  #enter(status: CameraStatus): void {
    this.#status = status;
    this.#options.onChange?.(this.status);
  }

  stop(): Promise<void> {
    this.#stop.abort();
    return this.#ended;
  }

  async #run(): Promise<void> {
    const { run, clock, report } = this.#options;
    const signal = AbortSignal.any([this.#options.signal, this.#stop.signal]);
    const { number } = this.#camera;
    while (!signal.aborted) {
      const startedAt = clock.monotonic();
      try {
        this.#enter({ ...this.#status, state: "running" });
        const { published } = await run(this.#camera, signal);
        if (signal.aborted) break;
        this.#enter({ ...this.#status, state: "ended" });
        report(`ended after ${published} frames`, number);
        return;
      } catch (error) {
        if (signal.aborted) break;
        if (clock.monotonic() - startedAt >= STABLE_AFTER_MS) this.#backoff.reset();
        const delay = this.#backoff.next();
        const restarts = this.#status.restarts + 1;
        this.#enter({ state: "waiting", restarts, ...faultOf(error) });
        report(`${messageOf(error)}; starting again in ${(delay / 1000).toFixed(1)} s`, number);
        await pause(delay, signal, clock);
      }
    }
    this.#enter({ ...this.#status, state: "stopped" });
  }
}

function faultOf(error: unknown): Pick<CameraStatus, "error" | "reason"> {
  const reason = error instanceof SourceError ? error.code : "OTHER";
  return { error: messageOf(error), reason };
}
