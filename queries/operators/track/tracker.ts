// Tracks objects from frame to frame like ByteTrack: first matches certain detections to tracks,
// then uncertain ones to the remaining tracks.
import type { Box } from "../../../runtime/image/mod.ts";
import { assign } from "./assignment.ts";
import { iouOf } from "../iou.ts";
import { BoxFilter } from "./kalman.ts";

export interface Detection {
  readonly label: string;
  readonly score: number;
  readonly box: Box;
}

export interface TrackerOptions {
  /** Detections from this score are certain. */
  readonly sure: number;
  /** Lowest score of a detection that starts a track. */
  readonly begin: number;
  /** How long an object may be out of sight, milliseconds of capture time. */
  readonly lostMs: number;
}

/** Detections below this score are noise. */
const NOISE = 0.1;
/** Highest cost of a pair: one minus overlap, multiplied by the score for certain detections. */
const COST = { sure: 0.8, unsure: 0.5, fresh: 0.7 };
/** Two tracks with a larger overlap than one minus this are the same. */
const SAME = 0.15;

interface Track {
  /** 0 until it is confirmed. */
  id: number;
  readonly label: string;
  state: "fresh" | "seen" | "lost";
  readonly filter: BoxFilter;
  readonly began: number;
  last: number;
  lastTime: number;
}

export interface TrackerState {
  readonly frame: number;
  readonly next: number;
  readonly tracks: readonly (Omit<Track, "filter"> & { readonly filter: string })[];
}

export class Tracker {
  readonly #options: TrackerOptions;
  #frame: number;
  #next: number;
  #tracks: Track[];

  constructor(options: TrackerOptions, state?: TrackerState) {
    this.#options = options;
    this.#frame = state?.frame ?? 0;
    this.#next = state?.next ?? 1;
    this.#tracks = (state?.tracks ?? []).map((track) => ({
      ...track,
      filter: new BoxFilter(new Float32Array(Uint8Array.fromBase64(track.filter).buffer)),
    }));
  }

  /** Clears all tracks, but does not reuse their numbers. */
  reset(): void {
    this.#tracks = [];
    this.#frame = 0;
  }

  get size(): number {
    return this.#tracks.length;
  }

  state(): TrackerState {
    return {
      frame: this.#frame,
      next: this.#next,
      tracks: this.#tracks.map((track) => ({
        ...track,
        filter: new Uint8Array(track.filter.values.slice().buffer).toBase64(),
      })),
    };
  }

  /**
   * Processes the detections of the next frame.
   *
   * @param time capture time of the frame, milliseconds
   * @returns for each detection the number of its track, or undefined.
   */
  next(detections: readonly Detection[], time: number): (number | undefined)[] {
    this.#frame++;
    const { sure, begin, lostMs } = this.#options;
    // A camera's clock may be set back.
    this.#tracks = this.#tracks.filter(({ state, lastTime }) =>
      state !== "lost" || Math.abs(time - lastTime) <= lostMs
    );
    const owners = new Map<number, Track>();
    const see = (track: Track, at: number) => {
      track.filter.update(detections[at]!.box);
      track.state = "seen";
      track.last = this.#frame;
      track.lastTime = time;
      if (track.id === 0) track.id = this.#next++;
      owners.set(at, track);
    };
    const indices = detections.map((_, at) => at);
    const strong = indices.filter((at) => detections[at]!.score >= sure);
    const weak = indices.filter((at) => {
      const { score } = detections[at]!;
      return score >= NOISE && score < sure;
    });

    const known = this.#tracks.filter(({ state }) => state !== "fresh");
    for (const { filter, state } of known) filter.predict(state === "seen");
    const first = match(known, strong, detections, COST.sure, true);
    for (const [track, at] of first.pairs) see(track, at);

    const unseen = first.tracks.filter(({ state }) => state === "seen");
    const second = match(unseen, weak, detections, COST.unsure, false);
    for (const [track, at] of second.pairs) see(track, at);
    for (const track of second.tracks) track.state = "lost";

    const fresh = this.#tracks.filter(({ state }) => state === "fresh");
    const third = match(fresh, first.detections, detections, COST.fresh, true);
    for (const [track, at] of third.pairs) see(track, at);
    const gone = new Set(third.tracks);

    for (const at of third.detections) {
      const { label, score, box } = detections[at]!;
      if (score < begin) continue;
      // Objects in the first frame need no confirmation.
      const isFirst = this.#frame === 1;
      const track: Track = {
        id: isFirst ? this.#next++ : 0,
        label,
        state: isFirst ? "seen" : "fresh",
        filter: BoxFilter.of(box),
        began: this.#frame,
        last: this.#frame,
        lastTime: time,
      };
      this.#tracks.push(track);
      owners.set(at, track);
    }
    this.#tracks = this.#tracks.filter((track) => !gone.has(track));
    this.#dropDoubles();
    return indices.map((at) => {
      const track = owners.get(at);
      return track === undefined || track.id === 0 ? undefined : track.id;
    });
  }

  /** Processes a frame that shows what the last one did: its objects are visible until then. */
  repeat(time: number): void {
    for (const track of this.#tracks) if (track.state !== "lost") track.lastTime = time;
  }

  /** Drops the younger of a visible and a lost track in the same place. */
  #dropDoubles(): void {
    const dropped = new Set<Track>();
    const boxed = this.#tracks.map((track) => ({ track, box: track.filter.box }));
    const losts = boxed.filter(({ track }) => track.state === "lost");
    for (const { track: seen, box } of boxed) {
      if (seen.state === "lost") continue;
      for (const { track: lost, box: lostBox } of losts) {
        if (lost.label !== seen.label || 1 - iouOf(box, lostBox) >= SAME) continue;
        dropped.add(seen.last - seen.began > lost.last - lost.began ? lost : seen);
      }
    }
    if (dropped.size > 0) this.#tracks = this.#tracks.filter((track) => !dropped.has(track));
  }
}

interface Matched {
  readonly pairs: readonly (readonly [Track, number])[];
  readonly tracks: readonly Track[];
  readonly detections: readonly number[];
}

function match(
  tracks: readonly Track[],
  indices: readonly number[],
  detections: readonly Detection[],
  limit: number,
  byScore: boolean,
): Matched {
  const costs = new Float64Array(tracks.length * indices.length);
  for (const [row, { filter, label }] of tracks.entries()) {
    const { box } = filter;
    for (const [column, at] of indices.entries()) {
      const detection = detections[at]!;
      const likeness = label === detection.label ? iouOf(box, detection.box) : 0;
      costs[row * indices.length + column] = 1 - likeness * (byScore ? detection.score : 1);
    }
  }
  const columns = assign(costs, tracks.length, indices.length, limit);
  const taken = new Set(columns);
  return {
    pairs: tracks.flatMap((track, row) => {
      const column = columns[row]!;
      return column < 0 ? [] : [[track, indices[column]!] as const];
    }),
    tracks: tracks.filter((_, row) => columns[row]! < 0),
    detections: indices.filter((_, column) => !taken.has(column)),
  };
}
