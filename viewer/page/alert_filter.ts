// Filters alerts, and remembers which were seen.
import { type AlertView, cameraText } from "../protocol.ts";
import { element } from "./dom.ts";

const SEEN_KEY = "framelane-seen-alerts";
/** Most ids that the browser remembers. */
const MOST_SEEN = 500;

export class SeenAlerts {
  #ids = new Set(JSON.parse(localStorage.getItem(SEEN_KEY) ?? "[]") as string[]);

  has(id: string): boolean {
    return this.#ids.has(id);
  }

  add(...ids: readonly string[]): void {
    for (const id of ids) this.#ids.add(id);
    this.#ids = new Set([...this.#ids].slice(-MOST_SEEN));
    localStorage.setItem(SEEN_KEY, JSON.stringify([...this.#ids]));
  }
}

/** Time ranges to choose from, milliseconds. */
const TIMES: readonly (readonly [string, number])[] = [
  ["Any time", Infinity],
  ["Last hour", 3_600_000],
  ["Last 24 hours", 86_400_000],
  ["Last 7 days", 7 * 86_400_000],
];

export class AlertFilter {
  readonly root: HTMLElement;
  readonly #camera = element("select", { "aria-label": "Camera or place" });
  readonly #label = element("select", { "aria-label": "Kind of alert" });
  readonly #time = element("select", { "aria-label": "Time" });
  readonly #unseen = element("input", { type: "checkbox" });
  #choices = "";

  constructor(onChange: () => void) {
    this.#time.append(
      ...TIMES.map(([label], index) => element("option", { value: index }, label)),
    );
    this.root = element(
      "div",
      { class: "filter", role: "group", "aria-label": "Filter" },
      this.#camera,
      this.#label,
      this.#time,
      element("label", {}, this.#unseen, "Unseen only"),
    );
    for (const control of [this.#camera, this.#label, this.#time, this.#unseen]) {
      control.addEventListener("change", onChange);
    }
  }

  /** Updates the choices to the existing cameras, places and labels. */
  offer(alerts: Iterable<AlertView>): void {
    const all = [...alerts];
    const cameras = [...new Set(all.map(cameraText))].sort();
    const places = [...new Set(all.flatMap(({ place }) => place ?? []))].sort();
    const labels = [...new Set(all.map(({ label }) => label))].sort();
    const choices = JSON.stringify([cameras, places, labels]);
    if (choices === this.#choices) return;
    this.#choices = choices;
    const fill = (
      select: HTMLSelectElement,
      first: string,
      options: readonly (readonly [string, string])[],
    ) => {
      const { value } = select;
      select.replaceChildren(
        element("option", { value: "" }, first),
        ...options.map(([value, label]) => element("option", { value }, label)),
      );
      select.value = value;
      if (select.selectedIndex < 0) select.value = "";
    };
    fill(this.#camera, "All cameras", [
      ...places.map((place) => [`place:${place}`, place] as const),
      ...cameras.map((camera) => [`camera:${camera}`, camera] as const),
    ]);
    fill(this.#label, "All kinds", labels.map((label) => [label, label] as const));
  }

  /** Whether the list shows an alert; `now` is the server's clock. */
  accepts(alert: AlertView, seen: boolean, now: number): boolean {
    const camera = this.#camera.value;
    const back = TIMES[Number(this.#time.value)]![1];
    return (camera === "" || camera === `camera:${cameraText(alert)}` ||
      camera === `place:${alert.place ?? ""}`) &&
      (this.#label.value === "" || this.#label.value === alert.label) &&
      now - alert.toTime <= back && !(this.#unseen.checked && seen);
  }
}
