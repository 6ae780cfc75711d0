// Announces changes to screen readers.
import { cameraText, type LaneView } from "../protocol.ts";
import { type Condition, conditionOf } from "./condition.ts";
import { find, text } from "./dom.ts";

/** Announces lanes whose condition has changed. */
export class Announcer {
  readonly #root = find(document, "#news", HTMLElement);
  #conditions: ReadonlyMap<string, Condition> = new Map();

  /** Processes a report of all lanes. New lanes are not announced. */
  take(lanes: readonly LaneView[]): void {
    const news = lanes.flatMap((lane) => {
      const [condition, before] = [conditionOf(lane), this.#conditions.get(lane.id)];
      const same = before === undefined || before === condition;
      return same ? [] : `${cameraText(lane)} ${lane.query}: ${condition}`;
    });
    this.#conditions = new Map(lanes.map((lane) => [lane.id, conditionOf(lane)]));
    if (news.length > 0) text(this.#root, news.join(", "));
  }
}
