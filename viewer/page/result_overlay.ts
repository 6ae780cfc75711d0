// Draws a query's results over the picture.
import type { DetectedObject, Result } from "../../runtime/definition/frame.ts";
import type { Places, Point } from "../../runtime/definition/places.ts";
import type { PictureMessage } from "../protocol.ts";
import { element, find, set, svg } from "./dom.ts";
import { duration } from "./format.ts";

/** Height of labels in CSS pixels; narrow pictures have no room for them. */
const TEXT = 13;
const ROOM_FOR_NAMES = 400;
const MOST_SCORES = 4;
const NOWHERE: Places = { zones: [], lines: [] };

/** Boxes around objects, watched zones and lines, and scores in a corner. */
export class ResultOverlay {
  readonly boxes: SVGElement;
  readonly scores: HTMLElement;

  /** @param tile its tile, a copy of the page's template */
  constructor(tile: HTMLElement) {
    this.boxes = find(tile, ".boxes", SVGElement);
    this.scores = find(tile, ".scores", HTMLElement);
  }

  /**
   * Draws the picture's result and the places its query watches; nothing unless `wanted`.
   *
   * @returns true during an alert
   */
  draw(
    picture: PictureMessage,
    wanted: boolean,
    screen: HTMLCanvasElement,
    watched: Places = NOWHERE,
  ): boolean {
    const result = wanted ? picture.result : undefined;
    const alerting = result?.alert !== undefined && result.alert.state !== "end";
    const found = result?.frames?.findLast((frame) => frame.offset <= picture.offset) ??
      result?.frames?.at(-1);
    const places = wanted ? result?.places ?? watched : NOWHERE;
    // Results of another process arrive after their picture.
    const { lastOffset = picture.offset, lastTimestamp = 0 } = result?.window ?? {};
    const before = lastOffset < picture.offset ? picture.timestamp - lastTimestamp : 0;
    this.boxes.classList.toggle("earlier", before > 0);
    this.#drawBoxes(found?.objects ?? [], places, picture, screen);
    this.#drawNumbers(result ?? {}, found?.scores ?? {}, before);
    this.scores.classList.toggle("alert", alerting);
    return alerting;
  }

  #drawBoxes(
    objects: readonly DetectedObject[],
    { zones, lines }: Places,
    { sourceWidth: width, sourceHeight: height }: PictureMessage,
    screen: HTMLCanvasElement,
  ): void {
    if (objects.length + zones.length + lines.length === 0) {
      if (this.boxes.childElementCount > 0) this.boxes.replaceChildren();
      return;
    }
    set(this.boxes, { viewBox: `0 0 ${width} ${height}` });
    // Constant size on screen, whatever the size of the source.
    const { clientWidth, clientHeight } = screen;
    const size = TEXT * Math.max(width / clientWidth, height / clientHeight);
    const named = (x: number, y: number, name: string) => {
      const above = y > size * 1.5;
      return clientWidth < ROOM_FOR_NAMES
        ? []
        : [svg("text", { x, y: above ? y - size * 0.4 : y + size * 1.1, "font-size": size }, name)];
    };
    const at = ([across, down]: Point) => [across * width, down * height] as const;
    const outline = (tag: "polygon" | "polyline", name: string, corners: readonly Point[]) => [
      svg(tag, { class: "place", points: corners.map(at).join(" ") }),
      ...named(...at(corners[0]!), name),
    ];
    this.boxes.replaceChildren(
      ...zones.flatMap(({ name, polygon }) => outline("polygon", name, polygon)),
      ...lines.flatMap(({ name, from, to }) => outline("polyline", name, [from, to])),
      ...objects.flatMap(({ label, score, box: [left, top, right, bottom], track }) => {
        const name = track === undefined ? label : `${label} #${track}`;
        return [
          svg("rect", { x: left, y: top, width: right - left, height: bottom - top }),
          ...named(left, top, `${name} ${Math.round(score * 100)}%`),
        ];
      }),
    );
  }

  /**
   * Shows the first scores, zone occupancy and line counts, and the age of the result's picture (`before`,
   * milliseconds).
   */
  #drawNumbers(
    { scores, zones = {}, counts = {} }: Result,
    ofFrame: NonNullable<Result["scores"]>,
    before: number,
  ): void {
    const shown = [
      ...Object.entries(scores ?? ofFrame).slice(0, MOST_SCORES)
        // JSON encodes non-finite numbers as null.
        .map(([label, score]) => [label, Number.isFinite(score) ? score.toFixed(2) : "–"] as const),
      ...Object.entries(zones).map(([name, present]) => [name, String(present)] as const),
      ...Object.entries(counts).map(([name, count]) =>
        [name, `${count.in} in, ${count.out} out`] as const
      ),
      ...(before > 0 ? [["found", `${duration(before)} earlier`] as const] : []),
    ];
    if (shown.length === 0 && this.scores.childElementCount === 0) return;
    this.scores.replaceChildren(
      ...shown.map(([label, value]) =>
        element("li", {}, element("bdi", {}, label), " ", element("b", {}, value))
      ),
    );
  }
}
