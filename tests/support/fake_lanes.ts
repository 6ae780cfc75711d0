// Lanes without a runtime: real JPEGs whose bar code tells lane and offset, pushed by hand or by a
// timer. For tests and trials of the viewer.
import { Buffer } from "node:buffer";
import jpeg from "@julusian/jpeg-turbo";
import { type Clock, systemClock } from "../../runtime/base/clock.ts";
import { cameraOfPartition, laneName } from "../../runtime/definition/frame.ts";
import { type Lane, type LaneFeed, type LanePicture, NO_NUMBERS } from "../../runtime/lanes.ts";
import type { StreamingQueryProgress } from "../../runtime/definition/progress.ts";

/** What the lanes are like. */
export interface FakeLanesOptions {
  readonly count: number;
  readonly query?: string;
  readonly topic?: string;
  readonly width?: number;
  readonly height?: number;
  readonly clock?: Clock;
  /** Makes the picture of a lane; a bar code over a drifting gradient when absent. */
  readonly paint?: (partition: number, offset: number) => Uint8Array;
}

/** Bits of the bar code at the top of each picture: the offset's low bits, most significant first. */
export const CODE_BITS = 16;

/** A feed that does what a test says. */
export class FakeLanes implements LaneFeed {
  readonly #options: Required<FakeLanesOptions>;
  readonly #lanes: Lane[];
  readonly #latest = new Map<string, LanePicture>();
  readonly #listeners = new Set<(picture: LanePicture) => void>();
  #timer: ReturnType<typeof setInterval> | undefined;
  progressReports: StreamingQueryProgress[] = [];
  plan = "";

  constructor(options: FakeLanesOptions) {
    const { width = 320, height = 240, query = "greyscale", topic = "VideoStreaming" } = options;
    this.#options = {
      width,
      height,
      query,
      topic,
      clock: systemClock,
      paint: (partition, offset) => paintCode(partition, offset, width, height),
      ...options,
    };
    this.#lanes = Array.from({ length: options.count }, (_, partition): Lane => ({
      id: `${query}-${partition}`,
      query,
      name: laneName(partition),
      topic,
      partition,
      camera: cameraOfPartition(partition),
      state: "running",
      ...NO_NUMBERS,
    }));
  }

  get subscribers(): number {
    return this.#listeners.size;
  }

  lanes(): readonly Lane[] {
    return this.#lanes;
  }

  latest(lane: string): LanePicture | undefined {
    return this.#latest.get(lane);
  }

  subscribe(listener: (picture: LanePicture) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  progress(): readonly StreamingQueryProgress[] {
    return this.progressReports;
  }

  history(lane: string): { progress: readonly StreamingQueryProgress[]; plan: string } {
    const { partition } = this.#find(lane);
    return {
      progress: this.progressReports.filter((each) => each.partition === partition),
      plan: this.plan,
    };
  }

  /** Adds a lane. */
  add(lane: Lane): void {
    this.#lanes.push(lane);
  }

  /** Changes what a lane says of itself. */
  change(lane: string, change: Partial<Lane>): void {
    const index = this.#lanes.findIndex((each) => each.id === lane);
    this.#lanes[index] = { ...this.#find(lane), ...change };
  }

  /** Gives a lane its next picture, painted unless given. */
  push(lane: string, change: Partial<LanePicture> = {}): LanePicture {
    const { partition } = this.#find(lane);
    const offset = change.offset ?? (this.#latest.get(lane)?.offset ?? -1) + 1;
    const now = this.#options.clock.now();
    const picture: LanePicture = {
      lane,
      offset,
      timestamp: now,
      bytes: change.bytes ?? this.#options.paint(partition, offset),
      headers: {},
      ...change,
    };
    this.#latest.set(lane, picture);
    this.change(lane, { lastFrameTimestamp: picture.timestamp, lastFrameArrival: now });
    for (const listener of this.#listeners) listener(picture);
    return picture;
  }

  /** Pushes to all running lanes at a steady rate, spread over the interval. */
  run(framesPerSecond: number): void {
    let turn = 0;
    let due = performance.now();
    const step = 1_000 / framesPerSecond / this.#lanes.length;
    this.#timer = setInterval(() => {
      for (; due <= performance.now(); due += step) {
        const lane = this.#lanes[turn++ % this.#lanes.length]!;
        if (lane.state !== "running") continue;
        this.push(lane.id);
        this.change(lane.id, {
          framesPerSecondIn: framesPerSecond,
          framesPerSecondOut: framesPerSecond,
        });
      }
    }, Math.max(4, step));
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #find(lane: string): Lane {
    const found = this.#lanes.find((each) => each.id === lane);
    if (found === undefined) throw new Error(`Cannot find lane ${lane}: no such fake lane`);
    return found;
  }
}

/** A JPEG with the offset as a row of black and white blocks over a gradient of the lane's colour. */
export function paintCode(
  partition: number,
  offset: number,
  width: number,
  height: number,
): Uint8Array {
  const raw = Buffer.alloc(width * height * 3);
  const codeHeight = Math.max(16, height >> 3);
  const block = width / CODE_BITS;
  for (let y = 0, at = 0; y < height; y++) {
    for (let x = 0; x < width; x++, at += 3) {
      if (y < codeHeight) {
        const bit = (offset >> (CODE_BITS - 1 - Math.floor(x / block))) & 1;
        raw[at] = raw[at + 1] = raw[at + 2] = bit === 1 ? 255 : 0;
      } else {
        raw[at] = (x + offset * 3) & 0xff;
        raw[at + 1] = (y + partition * 40) & 0xff;
        raw[at + 2] = (partition * 67 + offset) & 0xff;
      }
    }
  }
  return new Uint8Array(
    jpeg.compressSync(raw, {
      format: jpeg.FORMAT_RGB,
      width,
      height,
      subsampling: jpeg.SAMP_420,
      quality: 80,
    }),
  );
}
