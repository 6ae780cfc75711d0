// Filters alerts, and remembers which were seen.
import { type AlertView, cameraText } from "../protocol.ts";
import { fill, find } from "./dom.ts";

const SEEN_KEY = "framelane-seen-alerts";
/** Most ids that the browser remembers. */
const MOST_SEEN = 500;

export class SeenAlerts {
  #ids = stored();

  constructor() {
    // Another tab has changed them.
    addEventListener("storage", () => this.#ids = stored());
  }

  has(id: string): boolean {
    return this.#ids.has(id);
  }

  add(...ids: readonly string[]): void {
    for (const id of ids) this.#ids.add(id);
    this.#ids = new Set([...this.#ids].slice(-MOST_SEEN));
    localStorage.setItem(SEEN_KEY, JSON.stringify([...this.#ids]));
  }
}

function stored(): Set<string> {
  return new Set(JSON.parse(localStorage.getItem(SEEN_KEY) ?? "[]"));
}

export class AlertFilter {
  readonly #root = find(document, ".filter", HTMLElement);
  readonly #camera = find(this.#root, ".of-camera", HTMLSelectElement);
  readonly #label = find(this.#root, ".of-label", HTMLSelectElement);
  readonly #time = find(this.#root, ".of-time", HTMLSelectElement);
  readonly #unseen = find(this.#root, "input", HTMLInputElement);

  constructor(onChange: () => void) {
    this.#root.addEventListener("change", onChange);
  }

  /** Updates the choices to the existing cameras, places and labels. */
  offer(alerts: Iterable<AlertView>): void {
    const all = [...alerts];
    const cameras = [...new Set(all.map(cameraText))].sort();
    const places = [...new Set(all.flatMap(({ place }) => place ?? []))].sort();
    const labels = [...new Set(all.map(({ label }) => label))].sort();
    offer(this.#camera, [
      ["All cameras", ""],
      ...places.map((place) => [place, `place:${place}`] as const),
      ...cameras.map((camera) => [camera, `camera:${camera}`] as const),
    ]);
    offer(this.#label, [["All kinds", ""], ...labels.map((label) => [label, label] as const)]);
  }

  /** Whether the list shows an alert; `now` is the server's clock. */
  accepts(alert: AlertView, seen: boolean, now: number): boolean {
    const camera = this.#camera.value;
    const back = Number(this.#time.value);
    return (camera === "" || camera === `camera:${cameraText(alert)}` ||
      camera === `place:${alert.place ?? ""}`) &&
      (this.#label.value === "" || this.#label.value === alert.label) &&
      now - alert.toTime <= back && !(this.#unseen.checked && seen);
  }
}

/** Offers options, the first of which is chosen where the chosen one is gone. */
function offer(
  select: HTMLSelectElement,
  options: readonly (readonly [label: string, value: string])[],
): void {
  const { value } = select;
  fill(select, options, () => options.map(([label, value]) => new Option(label, value)));
  select.value = value;
  if (select.selectedIndex < 0) select.value = "";
}
