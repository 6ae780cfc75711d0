// The bar at the top: groups, search, view options, and counts by condition.
import type { LaneView } from "../protocol.ts";
import { conditionOf, CONDITIONS } from "./condition.ts";
import { copyOf, element, fill, find, set, text } from "./dom.ts";
import { showFullScreen, showsNumbers } from "./looks.ts";
import { MAX_COLUMNS, type WallState } from "./state.ts";

export class Header {
  readonly #root = find(document, "#bar", HTMLElement);
  readonly search = find(this.#root, ".search input", HTMLInputElement);
  readonly #tabs = find(this.#root, ".tabs > span", HTMLElement);
  readonly #counts = find(this.#root, ".counts", HTMLElement);
  readonly #view = find(this.#root, ".view", HTMLSelectElement);
  readonly #columns = find(this.#root, ".columns-choice", HTMLSelectElement);
  readonly #badge = find(this.#root, ".badge", HTMLElement);
  readonly #onState: (change: Partial<WallState>) => void;

  /** @param onState called with what the user has changed */
  constructor(onState: (change: Partial<WallState>) => void) {
    this.#onState = onState;
    this.search.addEventListener("input", () => onState({ search: this.search.value }));
    this.#view.addEventListener("change", () => onState({ view: this.#view.value }));
    for (let columns = 0; columns <= MAX_COLUMNS; columns++) {
      this.#columns.add(new Option(columns === 0 ? "Best fit" : `${columns} wide`, `${columns}`));
    }
    this.#columns.addEventListener("change", () => {
      onState({ columns: Number(this.#columns.value) });
    });
    this.#counts.append(...CONDITIONS.map((condition) => {
      const button = copyOf("count");
      set(button, { "data-condition": condition });
      text(find(button, "span", HTMLElement), ` ${condition}`);
      button.addEventListener("click", () => {
        onState({ condition: button.ariaPressed === "true" ? "" : condition });
      });
      return button;
    }));
    showFullScreen(this.#button("f"));
  }

  /** Updates the bar; `lanes` are those in the current view, `all` those of the page. */
  update(state: WallState, lanes: readonly LaneView[], all: readonly LaneView[]): void {
    if (document.activeElement !== this.search && this.search.value !== state.search) {
      this.search.value = state.search;
    }
    const pressed = { o: state.overlay, n: showsNumbers(), t: state.time };
    for (const [key, is] of Object.entries(pressed)) {
      set(this.#button(key), { "aria-pressed": String(is) });
    }
    this.#columns.value = String(state.columns);
    this.#updateViews(state, all);
    this.#updateTabs(state, lanes);
    this.#updateCounts(state, lanes);
  }

  setAlerts(active: number): void {
    text(this.#badge, active === 0 ? "" : String(active));
    set(this.#button("a"), {
      "aria-label": active === 0 ? "Alerts (A)" : `Alerts (A): ${active} ongoing`,
    });
  }

  /** The button that stands for a key. */
  #button(key: string): HTMLElement {
    return find(this.#root, `[data-key="${key}"]`, HTMLElement);
  }

  #updateViews(state: WallState, lanes: readonly LaneView[]): void {
    const queries = [...new Set(lanes.map((lane) => lane.query))].filter((name) => name !== "raw");
    const raw = lanes.some((lane) => lane.query === "raw") && queries.length > 0;
    const options = [
      ["All queries", ""],
      ...queries.map((name) => [name, name]),
      ...(raw ? [["Raw", "raw"]] : []),
    ];
    // One query needs no choice besides the raw pictures.
    if (queries.length < 2) options.splice(0, queries.length + 1, ["Processed", ""]);
    fill(this.#view, options, () => options.map(([label, value]) => new Option(label, value)));
    this.#view.hidden = options.length < 2;
    this.#view.value = state.view;
  }

  #updateTabs(state: WallState, lanes: readonly LaneView[]): void {
    const present = new Set(lanes.map((lane) => lane.partition + 1));
    const tabs = [
      { name: "", label: "All", count: present.size },
      ...state.groups.map(({ name, cameras }) => ({
        name,
        label: name,
        count: cameras.filter((camera) => present.has(camera)).length,
      })),
    ];
    fill(this.#tabs, [tabs, state.group], () =>
      tabs.map(({ name, label, count }) => {
        const tab = element(
          "button",
          { type: "button", class: "tab", title: label, "aria-pressed": `${name === state.group}` },
          element("bdi", {}, label),
          element("span", {}, String(count)),
        );
        tab.addEventListener("click", () => this.#onState({ group: name }));
        return tab;
      }));
  }

  #updateCounts(state: WallState, lanes: readonly LaneView[]): void {
    CONDITIONS.forEach((condition, index) => {
      const button = this.#counts.children[index] as HTMLElement;
      const count = lanes.filter((lane) => conditionOf(lane) === condition).length;
      const only = state.condition === condition;
      button.hidden = count === 0 && !only;
      text(find(button, "b", HTMLElement), String(count));
      set(button, {
        "aria-label": `${count} ${condition}`,
        "aria-pressed": String(only),
        title: only ? "Show all" : `Show only ${condition}`,
      });
    });
  }
}
