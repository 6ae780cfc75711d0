// Announces changes to screen readers.
import { cameraText, type LaneView } from "../protocol.ts";
import { type Condition, conditionOf } from "./condition.ts";
import { text } from "./dom.ts";

/** Announces lanes whose condition has changed. */
export class Announcer {
  readonly #root: HTMLElement;
  readonly #conditions = new Map<string, Condition>();

  /** @param root a live region of the page */
  constructor(root: HTMLElement) {
    this.#root = root;
  }

  /** Processes a report of all lanes. New lanes are not announced. */
  take(lanes: readonly LaneView[]): void {
    const news: string[] = [];
    for (const lane of lanes) {
      const condition = conditionOf(lane);
      const before = this.#conditions.get(lane.id);
      this.#conditions.set(lane.id, condition);
      if (before !== undefined && before !== condition) {
        news.push(`${cameraText(lane)} ${lane.query}: ${condition}`);
      }
    }
    if (news.length > 0) text(this.#root, news.join(", "));
  }
}
