// Tracks which objects are in which zones, for how long, and which lines they cross.
import type { DetectedObject, Line, LineCount, Places, Point } from "../../../runtime/mod.ts";
import { crosses, distanceRight, isInside } from "./geometry.ts";

interface Beside {
  /** Its last position clearly on one side, pixels. */
  readonly at: Point;
  readonly right: boolean;
  readonly counted: { readonly in: boolean; readonly out: boolean };
  readonly last: number;
}

/** A track's stay in a zone, in capture times. */
interface Stay {
  readonly since: number;
  readonly last: number;
}

/** Plain data by zone or line, then by track. */
export interface WatcherState {
  readonly stays: Readonly<Record<string, Readonly<Record<string, Stay>>>>;
  readonly beside: Readonly<Record<string, Readonly<Record<string, Beside>>>>;
  readonly counts: Readonly<Record<string, LineCount>>;
}

export interface Seen {
  readonly zones: Readonly<Record<string, number>>;
  readonly counts: Readonly<Record<string, LineCount>>;
  /** How long each track has been in its zones, milliseconds. */
  readonly dwellMs: Readonly<Record<string, Readonly<Record<string, number>>>>;
  /** Tracks that loiter, by zone. */
  readonly loitering: Readonly<Record<string, readonly number[]>>;
}

/** A track that is out of sight for this long has left its zone. */
const GRACE_MS = 1000;
/** A track near a line is forgotten after this long. */
const FORGET_MS = 60_000;
/** How far an object must be beyond a line, as a share of its height, since boxes jitter. */
const MARGIN = 0.05;

/** Watches the zones and lines of one camera. */
export class Watcher {
  readonly #places: Places;
  readonly #stays: Map<string, Map<string, Stay>>;
  readonly #beside: Map<string, Map<string, Beside>>;
  readonly #counts: Map<string, LineCount>;

  constructor(places: Places, state?: WatcherState) {
    this.#places = places;
    const stays = mapOf(state?.stays), beside = mapOf(state?.beside), counts = mapOf(state?.counts);
    this.#stays = new Map(places.zones.map(({ name }) => [name, mapOf(stays.get(name))]));
    this.#beside = new Map(places.lines.map(({ name }) => [name, mapOf(beside.get(name))]));
    this.#counts = new Map(
      places.lines.map(({ name }) => [name, counts.get(name) ?? { in: 0, out: 0 }]),
    );
  }

  state(): WatcherState {
    const plain = <T>(maps: Map<string, Map<string, T>>) =>
      Object.fromEntries([...maps].map(([name, map]) => [name, Object.fromEntries(map)]));
    return {
      stays: plain(this.#stays),
      beside: plain(this.#beside),
      counts: Object.fromEntries(this.#counts),
    };
  }

  /** Clears all positions for a new session of the camera. Counts continue. */
  reset(): void {
    for (const map of [...this.#stays.values(), ...this.#beside.values()]) map.clear();
  }

  /**
   * Processes the objects of the next frame.
   *
   * @param width of the frame, pixels
   * @param time capture time, milliseconds
   */
  next(objects: readonly DetectedObject[], width: number, height: number, time: number): Seen {
    const zones = new Map<string, number>();
    const dwellMs = new Map<string, Record<string, number>>();
    const loitering = new Map<string, number[]>();
    for (const { name, polygon, labels, loiterMs = Infinity } of this.#places.zones) {
      const stays = this.#stays.get(name)!;
      forget(stays, time, GRACE_MS);
      let present = 0;
      for (const { label, box, track } of objects) {
        if (labels !== undefined && !labels.includes(label)) continue;
        const [x, y] = footOf(box);
        if (!isInside([x / width, y / height], polygon)) {
          if (track !== undefined) stays.delete(String(track));
          continue;
        }
        present++;
        if (track === undefined) continue;
        const since = Math.min(stays.get(String(track))?.since ?? time, time), stay = time - since;
        stays.set(String(track), { since, last: time });
        dwellMs.set(name, { ...dwellMs.get(name), [track]: stay });
        if (stay >= loiterMs) loitering.set(name, [...loitering.get(name) ?? [], track]);
      }
      zones.set(name, present);
    }
    for (const line of this.#places.lines) this.#watch(line, objects, width, height, time);
    return {
      zones: Object.fromEntries(zones),
      counts: Object.fromEntries(this.#counts),
      dwellMs: Object.fromEntries(dwellMs),
      loitering: Object.fromEntries(loitering),
    };
  }

  #watch(
    { name, from, to, labels }: Line,
    objects: readonly DetectedObject[],
    width: number,
    height: number,
    time: number,
  ): void {
    const beside = this.#beside.get(name)!;
    forget(beside, time, FORGET_MS);
    const a: Point = [from[0] * width, from[1] * height],
      b: Point = [to[0] * width, to[1] * height];
    for (const { label, box, track } of objects) {
      if (track === undefined || (labels !== undefined && !labels.includes(label))) continue;
      const at = footOf(box), key = String(track), known = beside.get(key);
      const distance = distanceRight(at, a, b);
      if (Math.abs(distance) <= MARGIN * (box[3] - box[1])) {
        if (known !== undefined) beside.set(key, { ...known, last: time });
        continue;
      }
      const right = distance > 0, way = right ? "in" : "out";
      let counted = known?.counted ?? { in: false, out: false };
      // Each object counts once in each direction.
      if (known && known.right !== right && !counted[way] && crosses(known.at, at, a, b)) {
        const count = this.#counts.get(name)!;
        this.#counts.set(name, { ...count, [way]: count[way] + 1 });
        counted = { ...counted, [way]: true };
      }
      beside.set(key, { at, right, counted, last: time });
    }
  }
}

/** Forgets tracks that were last seen longer ago than this, or later: a camera's clock may be set back. */
function forget(tracks: Map<string, { readonly last: number }>, time: number, ms: number): void {
  for (const [track, { last }] of tracks) if (Math.abs(time - last) > ms) tracks.delete(track);
}

/** The position of an object: the middle of its lower side. */
function footOf([left, , right, bottom]: DetectedObject["box"]): Point {
  return [(left + right) / 2, bottom];
}

function mapOf<T>(record: Readonly<Record<string, T>> = {}): Map<string, T> {
  return new Map(Object.entries(record));
}
