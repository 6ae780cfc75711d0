// What the registry knows about cameras: names before the first frame, and why no frames arrive.
import { given } from "../runtime/base/options.ts";
import type { Clock } from "../runtime/base/clock.ts";
import { maskSecrets } from "../runtime/base/mask.ts";
import type { Lane } from "../runtime/lanes.ts";

/** A registered camera, without its source, which may hold a password. */
export interface KnownCamera {
  /** The n of `CAMERA-n`. */
  readonly number: number;
  readonly name?: string;
  readonly place?: string;
  /** What keeps it from publishing, as a message. */
  readonly trouble?: string;
  /** Start of the trouble, epoch milliseconds. */
  readonly since?: number;
}

/** Minimum interval between reads of the registry, milliseconds. */
const READ_MS = 1_000;
/** A removed camera whose frames arrive this much later is shown again, milliseconds. */
const IN_TRANSIT_MS = 3_000;

/** The registered cameras, refreshed periodically. */
export class KnownCameras {
  readonly #read: () => Promise<readonly KnownCamera[]>;
  readonly #clock: Clock;
  #cameras: ReadonlyMap<number, KnownCamera> = new Map();
  /** Removed cameras by number: when (monotonic), and the arrival of their last frame. */
  readonly #removed = new Map<number, { readonly at: number; last?: number | undefined }>();
  #reading: Promise<void> | undefined;
  #readAt = -Infinity;

  constructor(read: () => Promise<readonly KnownCamera[]>, clock: Clock) {
    this.#read = read;
    this.#clock = clock;
  }

  /** Reads the registry; on failure, no cameras are known. */
  async refresh(): Promise<void> {
    if (this.#clock.monotonic() - this.#readAt < READ_MS) return;
    await (this.#reading ??= this.#read()
      .then((cameras) => this.#update(cameras), () => this.#cameras = new Map())
      .then(() => {
        this.#reading = undefined;
        this.#readAt = this.#clock.monotonic();
      }));
  }

  #update(cameras: readonly KnownCamera[]): void {
    const before = this.#cameras;
    this.#cameras = new Map(cameras.map((camera) => [camera.number, camera]));
    for (const number of before.keys()) {
      if (!this.#cameras.has(number)) this.#removed.set(number, { at: this.#clock.monotonic() });
    }
    for (const number of this.#cameras.keys()) this.#removed.delete(number);
  }

  /** Adds a camera's known facts to its lane. A name in frames is newer than the registry's. */
  describe(lane: Lane): Lane {
    const camera = this.#cameras.get(lane.partition + 1);
    if (camera === undefined) {
      const removed = this.#removed.get(lane.partition + 1);
      if (removed === undefined) return lane;
      // Its last frames may still have been in transit.
      const inTransit = this.#clock.monotonic() - removed.at < IN_TRANSIT_MS;
      if (inTransit || !("last" in removed)) removed.last = lane.lastFrameArrival;
      return lane.lastFrameArrival === removed.last ? { ...lane, removed: true } : lane;
    }
    const { unused: _, ...used } = lane;
    const { name: cameraName, place } = {
      ...camera,
      ...given({ name: lane.cameraName, place: lane.place }),
    };
    const trouble = camera.trouble && maskSecrets(camera.trouble);
    return { ...used, ...given({ cameraName, place, trouble, troubleSince: camera.since }) };
  }
}
