// Runs all registered cameras in one process, independent of each other.
import type { Clock } from "../runtime/base/clock.ts";
import { given } from "../runtime/base/options.ts";
import { Backoff, pause } from "../runtime/base/wait.ts";
import type { CameraSummary } from "./camera.ts";
import { SourceError } from "./source.ts";
import type { CameraRegistry, CameraState, CameraStatus, RegisteredCamera } from "./registry.ts";

export interface SupervisedCamera extends CameraStatus {
  readonly number: number;
}

export interface SupervisorOptions {
  readonly registry: Pick<CameraRegistry, "list">;
  /**
   * Runs a camera until its source ends or the signal aborts.
   *
   * @throws when the camera fails: it is started again later.
   */
  readonly run: (camera: RegisteredCamera, signal: AbortSignal) => Promise<CameraSummary>;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** Called when a camera's state or its last failure changes. */
  readonly onChange?: (camera: SupervisedCamera) => void;
  /** A line for people about one camera, or about all. */
  readonly report: (message: string, number?: number) => void;
  /** How often the registry is looked at, milliseconds; 1 000 unless given. */
  readonly pollMs?: number;
  /** Bounds of the waits between starts of a camera that fails. */
  readonly minRestartMs?: number;
  readonly maxRestartMs?: number;
}

const POLL_MS = 1_000;
const MIN_RESTART_MS = 1_000;
const MAX_RESTART_MS = 30_000;
/** A camera that ran for this long has recovered. */
const WELL_AFTER_MS = 60_000;

/** Runs the cameras of the registry, and follows its changes. */
export class CameraSupervisor {
  readonly #options: SupervisorOptions;
  readonly #cameras = new Map<number, Supervised>();
  /** Removed cameras that have not left their partitions yet. */
  readonly #leaving = new Map<number, Promise<void>>();

  constructor(options: SupervisorOptions) {
    this.#options = options;
  }

  /** The cameras as they are now, by number. */
  get cameras(): SupervisedCamera[] {
    return [...this.#cameras.values()].map((camera) => camera.status)
      .sort((a, b) => a.number - b.number);
  }

  /** Records a failure that a running camera continues after; undefined: it has recovered. */
  failed(number: number, error: { readonly message: string; readonly reason: string } | undefined) {
    this.#cameras.get(number)?.failed(error);
  }

  /** Supervises until the signal aborts, then waits until every camera has ended. */
  async run(): Promise<void> {
    const { registry, clock, signal, report, pollMs = POLL_MS } = this.#options;
    let away = false;
    while (!signal.aborted) {
      try {
        this.#follow(await registry.list());
        away = false;
      } catch (error) {
        if (!away) report(`Cannot read the registry: ${(error as Error).message}`);
        away = true;
      }
      await pause(pollMs, signal, clock);
    }
    await Promise.all([
      ...[...this.#cameras.values()].map((camera) => camera.stop()),
      ...this.#leaving.values(),
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
      const left = camera.stop().finally(() => this.#leaving.delete(number));
      this.#leaving.set(number, left);
    }
    for (const { camera, version } of registered) {
      const running = this.#cameras.get(camera.number);
      if (running?.version === version) continue;
      if (running !== undefined) report("changed", camera.number);
      // The old one leaves the partition before the new one enters it.
      const begin = running?.stop() ?? this.#leaving.get(camera.number) ?? Promise.resolve();
      this.#cameras.set(camera.number, new Supervised(camera, version, begin, this.#options));
    }
  }
}

/** One camera, started again whenever it fails. */
class Supervised {
  readonly version: string;
  readonly #camera: RegisteredCamera;
  readonly #options: SupervisorOptions;
  readonly #stop = new AbortController();
  readonly #ended: Promise<void>;
  readonly #backoff: Backoff;
  #state: CameraState = "waiting";
  #restarts = 0;
  #error: string | undefined;
  #reason: string | undefined;

  constructor(
    camera: RegisteredCamera,
    version: string,
    begin: Promise<void>,
    options: SupervisorOptions,
  ) {
    const { minRestartMs = MIN_RESTART_MS, maxRestartMs = MAX_RESTART_MS } = options;
    this.version = version;
    this.#camera = camera;
    this.#options = options;
    this.#backoff = new Backoff({ minDelayMs: minRestartMs, maxDelayMs: maxRestartMs });
    this.#ended = begin.then(() => this.#run());
  }

  get status(): SupervisedCamera {
    return {
      number: this.#camera.number,
      state: this.#state,
      restarts: this.#restarts,
      ...given({ error: this.#error, reason: this.#reason }),
    };
  }

  /** See `CameraSupervisor.failed`. */
  failed(error: { readonly message: string; readonly reason: string } | undefined): void {
    if (this.#error === error?.message) return;
    this.#error = error?.message;
    this.#reason = error?.reason;
    this.#options.onChange?.(this.status);
  }

  #enter(state: CameraState): void {
    this.#state = state;
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
      const begun = clock.monotonic();
      try {
        this.#enter("running");
        const { published } = await run(this.#camera, signal);
        if (signal.aborted) break;
        this.#enter("ended");
        report(`ended after ${published} frames`, number);
        return;
      } catch (error) {
        if (signal.aborted) break;
        if (clock.monotonic() - begun >= WELL_AFTER_MS) this.#backoff.reset();
        const delay = this.#backoff.next();
        this.#restarts++;
        this.#error = error instanceof Error ? error.message : String(error);
        this.#reason = error instanceof SourceError ? error.code : "OTHER";
        this.#enter("waiting");
        report(`${this.#error}; starting again in ${(delay / 1000).toFixed(1)} s`, number);
        await pause(delay, signal, clock);
      }
    }
    this.#enter("stopped");
  }
}
