// Zones and lines: counts objects in zones, their stay, and crossings of lines.
import {
  type Frame,
  type Operator,
  type Output,
  pictureOf,
  type Places,
} from "../../../runtime/mod.ts";
import { shownFrame, withResult } from "../picture.ts";
import { savedState, stateBytes } from "../state.ts";
import { parseZones, readZones } from "./file.ts";
import { type Seen, Watcher, type WatcherState } from "./watcher.ts";

interface State {
  readonly watcher: WatcherState;
  readonly session: string | null;
  readonly lastOffset: number;
  /** What was seen in the last frame: windows may repeat it. */
  readonly seen?: Seen;
}

/**
 * Watches zones and lines. The result contains in `zones` the number of objects in each zone, in
 * `counts` how often each line was crossed so far (`in` from the left of from → to, `out` back;
 * each object once in each direction), and in `data` how long each track has been in a zone
 * (`dwellMs`) and which tracks loiter.
 *
 * An object's position is the middle of the lower side of its box. Lines and times need tracks, so
 * put it after `track()`. The state is part of the checkpoint: counts continue after any restart.
 *
 * @param places path or URL of a JSON file, or its content
 * @throws {ZonesError} naming all faults of the file.
 *
 * @example
 * ```ts
 * import { events, query } from "../../../runtime/mod.ts";
 * import { detect } from "../detect.ts";
 * import { track } from "../track/mod.ts";
 * import { zones } from "./mod.ts";
 *
 * export default query("visitors")
 *   .readStream()
 *   .process(detect())
 *   .process(track())
 *   .process(zones({ zones: [], lines: [{ name: "door", from: [0.2, 0.5], to: [0.8, 0.5] }] }))
 *   .writeStream(events());
 * ```
 */
export function zones<T extends Output>(places: string | URL | Places): Operator<T, T> {
  const checked = typeof places === "string" || places instanceof URL
    ? readZones(places)
    : parseZones(places);
  const names = [...checked.zones, ...checked.lines].map(({ name }) => name);
  return {
    name: "zones",
    settings: names.join(" "),
    places: checked,
    kind: "state",
    open(context) {
      const saved = savedState<State>(context);
      const watcher = new Watcher(checked, saved?.watcher);
      let { session, lastOffset, seen }: Omit<State, "watcher"> = saved ??
        { session: null, lastOffset: -1 };
      return {
        async process(output) {
          const frames = output.result?.frames, picture = shownFrame(output);
          if (frames === undefined || picture === undefined) return [output];
          const own = picture.headers["session"] ?? null;
          if (own !== session) {
            if (session !== null) watcher.reset();
            session = own;
          }
          const { width, height } = await sizeOf(picture);
          for (const { objects = [], offset, timestamp } of frames) {
            if (offset <= lastOffset) continue;
            lastOffset = offset;
            seen = watcher.next(objects, width, height, timestamp);
          }
          if (seen === undefined) return [output];
          const { zones, counts, dwellMs, loitering } = seen;
          return [withResult(output, {
            ...(checked.zones.length > 0 ? { zones } : {}),
            ...(checked.lines.length > 0 ? { counts } : {}),
            ...(Object.keys(dwellMs).length > 0 ? { data: { dwellMs, loitering } } : {}),
          })];
        },
        snapshot: () => stateBytes({ watcher: watcher.state(), session, lastOffset, seen }),
      };
    },
  };
}

async function sizeOf(frame: Frame): Promise<{ readonly width: number; readonly height: number }> {
  const width = Number(frame.headers["width"]), height = Number(frame.headers["height"]);
  if (width > 0 && height > 0) return { width, height };
  const picture = await pictureOf(frame);
  picture.release();
  return picture;
}
