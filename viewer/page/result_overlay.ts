/**
 * What a query found, over the picture that it found it in.
 *
 * @module
 */
import type { DetectedObject, Result } from "../../runtime/definition/frame.ts";
import type { PictureMessage } from "../protocol.ts";
import { element, set, svg } from "./dom.ts";

/** Height of the objects' names, CSS pixels. */
const TEXT = 13;
const MOST_SCORES = 4;

/** Boxes around objects, and scores in a corner. */
export class ResultOverlay {
  readonly boxes = svg("svg", { class: "boxes", "aria-hidden": "true" });
  readonly scores = element("ul", { class: "scores" });

  /**
   * Shows the picture's result; nothing where there is none, or none is `wanted`.
   *
   * @returns true while an alert goes on.
   */
  draw(picture: PictureMessage, wanted: boolean, screen: HTMLCanvasElement): boolean {
    const result = wanted ? picture.result : undefined;
    const alerting = result?.alert !== undefined && result.alert.state !== "end";
    const found = result?.frames?.findLast((frame) => frame.offset <= picture.offset) ??
      result?.frames?.at(-1);
    this.#drawBoxes(found?.objects ?? [], picture, screen);
    this.#drawNumbers(result ?? {}, found?.scores ?? {});
    this.scores.classList.toggle("alert", alerting);
    return alerting;
  }

  #drawBoxes(
    objects: readonly DetectedObject[],
    { sourceWidth: width, sourceHeight: height }: PictureMessage,
    screen: HTMLCanvasElement,
  ): void {
    if (objects.length === 0) {
      if (this.boxes.childElementCount > 0) this.boxes.replaceChildren();
      return;
    }
    set(this.boxes, { viewBox: `0 0 ${width} ${height}` });
    // The same size on the screen, however large the source is.
    const { clientWidth, clientHeight } = screen;
    const size = TEXT * Math.max(width / clientWidth, height / clientHeight);
    this.boxes.replaceChildren(...objects.flatMap(({ label, score, box, track }) => {
      const [left, top, right, bottom] = box;
      const name = track === undefined ? label : `${label} #${track}`;
      const caption = `${name} ${Math.round(score * 100)}%`;
      const above = top > size * 1.5;
      return [
        svg("rect", { x: left, y: top, width: right - left, height: bottom - top }),
        svg("text", {
          x: left,
          y: above ? top - size * 0.4 : top + size * 1.1,
          "font-size": size,
        }, caption),
      ];
    }));
  }

  /** The first scores, then who is in the zones and how often the lines were crossed. */
  #drawNumbers({ scores, zones = {}, counts = {} }: Result, ofFrame: Result["scores"] = {}): void {
    const shown = [
      ...Object.entries(scores ?? ofFrame).slice(0, MOST_SCORES)
        .map(([label, score]) => [label, score.toFixed(2)] as const),
      ...Object.entries(zones).map(([name, present]) => [name, String(present)] as const),
      ...Object.entries(counts).map(([name, count]) =>
        [name, `${count.in} in, ${count.out} out`] as const
      ),
    ];
    if (shown.length === 0 && this.scores.childElementCount === 0) return;
    this.scores.replaceChildren(
      ...shown.map(([label, value]) => element("li", {}, `${label} `, element("b", {}, value))),
    );
  }
}
