// What the registry knows of cameras that the log does not: a name before the first frame, and why
// no frames come.
import type { Clock } from "../runtime/base/clock.ts";
import { maskSecrets } from "../runtime/base/mask.ts";
import type { Lane } from "../runtime/lanes.ts";

/** A registered camera, without its source: that may hold a password. */
export interface KnownCamera {
  /** n of `CAMERA-n`. */
  readonly number: number;
  readonly name?: string;
  readonly place?: string;
  /** What keeps it from publishing, for people. */
  readonly trouble?: string;
  /** Since when, epoch milliseconds. */
  readonly since?: number;
}

/** How often the registry is read at most, milliseconds. */
const READ_MS = 1_000;
/** A camera that sends something this long after it was removed is shown again, milliseconds. */
const IN_TRANSIT_MS = 3_000;

/** The registered cameras, read again and again. */
export class KnownCameras {
  readonly #read: () => Promise<readonly KnownCamera[]>;
  readonly #clock: Clock;
  #cameras: ReadonlyMap<number, KnownCamera> = new Map();
  /** When cameras went from the registry, epoch milliseconds, by their numbers. */
  readonly #removed = new Map<number, number>();
  #reading: Promise<void> | undefined;
  #readAt = -Infinity;

  constructor(read: () => Promise<readonly KnownCamera[]>, clock: Clock) {
    this.#read = read;
    this.#clock = clock;
  }

  /** Reads the registry; where that fails nothing is known any more. */
  refresh(): Promise<void> {
    if (this.#clock.monotonic() - this.#readAt < READ_MS) {
      return this.#reading ?? Promise.resolve();
    }
    return this.#reading ??= this.#read()
      .then((cameras) => this.#take(cameras), () => this.#cameras = new Map())
      .then(() => {
        this.#reading = undefined;
        this.#readAt = this.#clock.monotonic();
      });
  }

  #take(cameras: readonly KnownCamera[]): void {
    const before = this.#cameras;
    this.#cameras = new Map(cameras.map((camera) => [camera.number, camera]));
    for (const number of before.keys()) {
      if (!this.#cameras.has(number)) this.#removed.set(number, this.#clock.now());
    }
    for (const number of this.#cameras.keys()) this.#removed.delete(number);
  }

  /** The lane with what is known of its camera. The frames' own name is newer than the registry's. */
  describe(lane: Lane): Lane {
    const camera = this.#cameras.get(lane.partition + 1);
    if (camera === undefined) {
      const removed = this.#removed.get(lane.partition + 1) ?? -Infinity;
      // Its last frames may still have been on their way.
      return removed + IN_TRANSIT_MS < (lane.lastFrameArrival ?? 0) || removed === -Infinity
        ? lane
        : { ...lane, removed: true };
    }
    const { unused: _, ...used } = lane;
    const { name, place, trouble, since } = camera;
    return {
      ...used,
      ...(lane.cameraName !== undefined || name === undefined ? {} : { cameraName: name }),
      ...(lane.place !== undefined || place === undefined ? {} : { place }),
      ...(trouble === undefined ? {} : { trouble: maskSecrets(trouble) }),
      ...(trouble === undefined || since === undefined ? {} : { troubleSince: since }),
    };
  }
}
