// The bar at the top: groups, search, view options, and counts by condition.
import type { LaneView } from "../protocol.ts";
import { type Condition, conditionOf } from "./condition.ts";
import { element, icon, iconButton, set, text } from "./dom.ts";
import { fullScreenButton, showsNumbers } from "./looks.ts";
import { MAX_COLUMNS, type WallState } from "./state.ts";

export interface HeaderEvents {
  readonly onState: (change: Partial<WallState>) => void;
  readonly onGroups: () => void;
  readonly onAlerts: () => void;
  readonly onTheme: () => void;
  readonly onNumbers: () => void;
  readonly onHelp: () => void;
}

/** Conditions with a count, and their labels. */
const COUNTED: readonly (readonly [Condition, string])[] = [
  ["live", "live"],
  ["starting", "starting"],
  ["stalled", "stalled"],
  ["restarting", "restarting"],
  ["failed", "failed"],
  ["stopped", "stopped"],
];

/** The brand name, linked to the wall. */
export function brand(): HTMLElement {
  return element(
    "a",
    { class: "brand", href: "/", "aria-label": "Framelane" },
    element("img", { src: "/assets/page/icon.svg", alt: "", width: 24, height: 24 }),
    element("span", {}, "Framelane"),
  );
}

export class Header {
  readonly root: HTMLElement;
  readonly search: HTMLInputElement;
  readonly #events: HeaderEvents;
  readonly #tabs = element("nav", { class: "tabs", "aria-label": "Groups of cameras" });
  readonly #counts = element("div", { class: "counts", role: "group", "aria-label": "Conditions" });
  readonly #view = element("select", { class: "view", "aria-label": "What is shown" });
  readonly #columns = element("select", {
    class: "columns-choice",
    "aria-label": "Columns",
    title: "Columns (+ − 0)",
  });
  readonly #numbers: HTMLButtonElement;
  readonly #overlay: HTMLButtonElement;
  readonly #time: HTMLButtonElement;
  readonly #alerts: HTMLButtonElement;
  readonly #badge = element("span", { class: "badge" });
  #state: WallState | undefined;
  #views = "";
  #tabsFor = "";

  constructor(root: HTMLElement, events: HeaderEvents) {
    this.root = root;
    this.#events = events;
    this.search = element("input", {
      type: "search",
      placeholder: "Search",
      "aria-label": "Search cameras",
      autocomplete: "off",
      spellcheck: "false",
    });
    this.search.addEventListener("input", () => events.onState({ search: this.search.value }));
    this.#view.addEventListener("change", () => events.onState({ view: this.#view.value }));
    this.#columns.append(
      ...Array.from(
        { length: MAX_COLUMNS + 1 },
        (_, columns) =>
          element("option", { value: columns }, columns === 0 ? "Best fit" : `${columns} wide`),
      ),
    );
    this.#columns.addEventListener("change", () => {
      events.onState({ columns: Number(this.#columns.value) });
    });
    this.#numbers = iconButton("chart", "Numbers and charts (N)", events.onNumbers);
    this.#overlay = iconButton("boxes", "Show results over the pictures (O)", () => {
      events.onState({ overlay: !this.#state?.overlay });
    });
    this.#time = iconButton("clock", "Look back in time (T)", () => {
      events.onState({ time: !this.#state?.time });
    });
    this.#alerts = iconButton("bell", "Alerts (A)", events.onAlerts);
    this.#alerts.append(this.#badge);
    root.append(
      element("h1", {}, brand()),
      this.#tabs,
      this.#counts,
      element("label", { class: "search" }, icon("search"), this.search),
      this.#view,
      this.#columns,
      element(
        "div",
        { class: "tools" },
        this.#overlay,
        this.#time,
        this.#alerts,
        this.#numbers,
        iconButton("sun", "Light or dark (D)", events.onTheme),
        fullScreenButton(),
        iconButton("help", "Keyboard (?)", events.onHelp),
      ),
    );
  }

  /** Updates the bar; `lanes` are those in the current view, `all` those of the page. */
  update(state: WallState, lanes: readonly LaneView[], all: readonly LaneView[]): void {
    this.#state = state;
    if (document.activeElement !== this.search && this.search.value !== state.search) {
      this.search.value = state.search;
    }
    set(this.#overlay, { "aria-pressed": String(state.overlay) });
    set(this.#numbers, { "aria-pressed": String(showsNumbers()) });
    this.#columns.value = String(state.columns);
    set(this.#time, { "aria-pressed": String(state.time) });
    this.#updateViews(state, all);
    this.#updateTabs(state, lanes);
    this.#updateCounts(state, lanes);
  }

  /** Shows the number of ongoing alerts. */
  setAlerts(active: number): void {
    text(this.#badge, active === 0 ? "" : String(active));
    set(this.#alerts, {
      "aria-label": active === 0 ? "Alerts (A)" : `Alerts (A): ${active} ongoing`,
    });
  }

  #updateViews(state: WallState, lanes: readonly LaneView[]): void {
    const queries = [...new Set(lanes.map((lane) => lane.query))].filter((name) => name !== "raw");
    const raw = lanes.some((lane) => lane.query === "raw") && queries.length > 0;
    const options: [string, string][] = [
      ["", queries.length > 1 ? "All queries" : "Processed"],
      ...(queries.length > 1 ? queries.map((name): [string, string] => [name, name]) : []),
      ...(raw ? [["raw", "Raw"] as [string, string]] : []),
    ];
    const known = JSON.stringify(options);
    if (known !== this.#views) {
      this.#views = known;
      this.#view.replaceChildren(
        ...options.map(([value, label]) => element("option", { value }, label)),
      );
    }
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
    const known = JSON.stringify([tabs, state.group]);
    if (known === this.#tabsFor) return;
    this.#tabsFor = known;
    const edit = iconButton("pencil", "Edit groups (G)", this.#events.onGroups);
    edit.classList.add("small");
    this.#tabs.replaceChildren(
      ...tabs.map(({ name, label, count }) => {
        const tab = element(
          "button",
          { type: "button", class: "tab", "aria-pressed": String(name === state.group) },
          label,
          element("span", {}, String(count)),
        );
        tab.addEventListener("click", () => this.#events.onState({ group: name }));
        return tab;
      }),
      edit,
    );
  }

  #updateCounts(state: WallState, lanes: readonly LaneView[]): void {
    const counts = new Map<Condition, number>();
    for (const lane of lanes) {
      const condition = conditionOf(lane);
      counts.set(condition, (counts.get(condition) ?? 0) + 1);
    }
    for (const [condition, word] of COUNTED) {
      let button = this.#counts.querySelector<HTMLButtonElement>(`[data-condition="${condition}"]`);
      const count = counts.get(condition) ?? 0;
      if (button === null) {
        button = element(
          "button",
          { type: "button", class: "count", "data-condition": condition },
          element("i", { class: "state" }),
          element("b"),
          element("span", {}, ` ${word}`),
        );
        button.addEventListener("click", () => {
          const { condition: shown = "" } = this.#state ?? {};
          this.#events.onState({ condition: shown === condition ? "" : condition });
        });
        this.#counts.append(button);
      }
      button.hidden = count === 0 && state.condition !== condition;
      text(button.querySelector("b")!, String(count));
      set(button, {
        "aria-label": `${count} ${word}`,
        "aria-pressed": String(state.condition === condition),
        title: state.condition === condition ? "Show all" : `Show only ${word}`,
      });
    }
  }
}
