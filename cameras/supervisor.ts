// Runs all registered cameras in one process, isolated from each other.
import { messageOf } from "../runtime/base/errors.ts";
import type { Clock } from "../runtime/base/clock.ts";
import { pause } from "../runtime/base/wait.ts";
import type { CameraRegistry, RegisteredCamera } from "./registry.ts";

export interface SupervisorOptions {
  readonly registry: Pick<CameraRegistry, "list">;
  /** Runs a camera until its source ends or the signal aborts, whatever fails meanwhile. */
  readonly run: (camera: RegisteredCamera, signal: AbortSignal) => Promise<void>;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** Prints a message for the user about one camera, or about all. */
  readonly report: (message: string, number?: number) => void;
  /** How often the registry is read, milliseconds; 1 000 by default. */
  readonly pollMs?: number;
}

const POLL_MS = 1_000;

interface Supervised {
  /** As registered; undefined once it is removed. */
  version: string | undefined;
  readonly stop: AbortController;
  readonly ended: Promise<void>;
}

/** Starts the registered cameras, and follows changes of the registry. */
export class CameraSupervisor {
  readonly #options: SupervisorOptions;
  readonly #cameras = new Map<number, Supervised>();

  constructor(options: SupervisorOptions) {
    this.#options = options;
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
    for (const { stop } of this.#cameras.values()) stop.abort();
    await Promise.all([...this.#cameras.values()].map(({ ended }) => ended));
  }

  #follow(
    registered: readonly { readonly camera: RegisteredCamera; readonly version: string }[],
  ): void {
    const { run, report } = this.#options;
    const numbers = new Set(registered.map(({ camera }) => camera.number));
    for (const [number, known] of this.#cameras) {
      if (known.version === undefined || numbers.has(number)) continue;
      report("removed", number);
      known.version = undefined;
      known.stop.abort();
    }
    for (const { camera, version } of registered) {
      const { number } = camera;
      const known = this.#cameras.get(number);
      if (known?.version === version) continue;
      if (known?.version !== undefined) report("changed", number);
      known?.stop.abort();
      const stop = new AbortController();
      // The old camera leaves the partition before the new one starts.
      const ready = known?.ended ?? Promise.resolve();
      const ended = ready.then(() => run(camera, stop.signal));
      this.#cameras.set(number, { version, stop, ended });
    }
  }
}
