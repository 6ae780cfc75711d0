// The list of alerts, grouped by day: label, camera and time, with the first picture.
import { type AlertView, cameraText } from "../protocol.ts";
import { playWhilePointedAt } from "./alert_film.ts";
import { AlertFilter, SeenAlerts } from "./alert_filter.ts";
import { clipAddress, type ClipDialog } from "./dialogs.ts";
import { copyOf, element, fill, find, set, text } from "./dom.ts";
import { clock, day, span } from "./format.ts";

/** Width of pictures, device pixels. */
const THUMBNAIL_WIDTH = 320;
/** Maximum number of alerts listed; the server keeps older ones. */
const SHOWN = 300;
/** A clip starts and ends this long before and after its alert, milliseconds. */
const CLIP_MARGIN_MS = 5_000;

export interface AlertListOptions {
  readonly onOpen: (alert: AlertView) => void;
  readonly onClip: (...clip: Parameters<ClipDialog["download"]>) => void;
  /** The server's clock, epoch milliseconds. */
  readonly now: () => number;
  /** Whether there is a log to look back into. */
  readonly hasPast: () => boolean;
}

export class AlertList {
  readonly root = find(document, ".drawer", HTMLElement);
  readonly alerts = new Map<string, AlertView>();
  readonly #options: AlertListOptions;
  readonly #list = find(this.root, ".alerts", HTMLElement);
  readonly #empty = find(this.root, ".none", HTMLElement);
  readonly #items = new Map<string, HTMLElement>();
  readonly #seen = new SeenAlerts();
  readonly #filter = new AlertFilter(() => this.#arrange());
  readonly #news = find(this.root, "header .muted", HTMLElement);
  readonly #allSeen = find(this.root, "header .link", HTMLElement);
  #open = "";

  constructor(options: AlertListOptions) {
    this.#options = options;
    this.#allSeen.addEventListener("click", () => {
      this.#seen.add(...this.alerts.keys());
      this.#arrange();
    });
    this.#arrange();
  }

  /** Opens the alert `by` places further down the list, towards older alerts. */
  go(by: number): void {
    const listed = this.#listed();
    const at = listed.findIndex(({ id }) => id === this.#open);
    const next = listed[at < 0 ? 0 : at + by];
    if (next !== undefined) this.#choose(next);
  }

  #choose(alert: AlertView): void {
    this.#open = alert.id;
    this.#seen.add(alert.id);
    this.#arrange();
    this.#items.get(alert.id)?.scrollIntoView({ block: "nearest" });
    this.#options.onOpen(alert);
  }

  /** The alerts that match the filter, newest first. */
  #listed(): AlertView[] {
    const now = this.#options.now();
    return [...this.alerts.values()]
      .filter((alert) => this.#filter.accepts(alert, this.#seen.has(alert.id), now))
      .sort((a, b) => b.fromTime - a.fromTime);
  }

  /** Time passes: alerts leave the last hour, and today's become yesterday's. */
  update(): void {
    if (!this.root.hidden) this.#arrange();
  }

  /** Updates the list: alerts in order, under headings for their days. */
  #arrange(): void {
    this.#filter.offer(this.alerts.values());
    const listed = this.#listed().map((alert) => ({ ...alert, day: day(alert.fromTime) }));
    for (const { id } of listed) {
      const item = this.#items.get(id)!;
      item.classList.toggle("unseen-alert", !this.#seen.has(id));
      set(item.querySelector("button")!, {
        "aria-current": id === this.#open ? "true" : undefined,
      });
    }
    fill(
      this.#list,
      listed.map(({ id, day }) => [id, day]),
      () =>
        listed.flatMap(({ id, day }, index) => {
          const item = this.#items.get(id)!;
          if (day === listed[index - 1]?.day) return item;
          return [element("li", { class: "day" }, element("h3", {}, day)), item];
        }),
    );
    const unseen = [...this.alerts.keys()].filter((id) => !this.#seen.has(id)).length;
    text(this.#news, unseen === 0 ? "" : `${unseen} unseen`);
    this.#allSeen.hidden = unseen === 0;
    this.#empty.hidden = listed.length > 0;
    text(this.#empty, this.alerts.size === 0 ? "No alerts" : "No alert matches");
  }

  get active(): number {
    return [...this.alerts.values()].filter(({ active }) => active).length;
  }

  /** Adds new alerts and updates changed ones. */
  take(alerts: readonly AlertView[]): void {
    for (const alert of alerts) {
      this.alerts.set(alert.id, alert);
      let item = this.#items.get(alert.id);
      if (item === undefined) this.#items.set(alert.id, item = this.#item(alert));
      this.#update(item, alert);
    }
    const newest = [...this.alerts.values()].sort((a, b) => b.fromTime - a.fromTime);
    for (const { id } of newest.slice(SHOWN)) {
      this.#items.delete(id);
      this.alerts.delete(id);
    }
    this.#arrange();
  }

  /** Clears the list: a restarted server sends its own. */
  clear(): void {
    this.alerts.clear();
    this.#items.clear();
    this.#arrange();
  }

  #item(alert: AlertView): HTMLElement {
    const item = copyOf("alert");
    const image = find(item, "img", HTMLImageElement);
    const query = new URLSearchParams({ id: alert.id, width: `${THUMBNAIL_WIDTH}` });
    image.src = `/api/alerts/thumbnail?${query}`;
    const open = find(item, ".alert-item", HTMLElement);
    const newest = () => this.alerts.get(alert.id) ?? alert;
    open.addEventListener("click", () => this.#choose(newest()));
    find(item, ".clip", HTMLElement).addEventListener("click", (event) => {
      event.preventDefault();
      const { lane } = newest();
      this.#options.onClip(lane, cameraText(newest()), ...clipTimes(newest()));
    });
    if (this.#options.hasPast()) playWhilePointedAt(open, image, newest);
    return item;
  }

  #update(item: HTMLElement, alert: AlertView): void {
    const [title, camera, when] = item.querySelectorAll(".about > *");
    const peak = ` ${Math.round(alert.peak * 100)} %`;
    fill(title!, [alert.label, peak], () => [element("bdi", {}, alert.label), new Text(peak)]);
    text(camera!, [cameraText(alert), alert.place ?? ""].filter((part) => part !== "").join(" · "));
    const lasted = alert.active ? "ongoing" : span(alert.toTime - alert.fromTime);
    text(when!, `${clock(alert.fromTime)} · ${lasted}`);
    item.classList.toggle("active", alert.active);
    const clip = find(item, ".clip", HTMLElement);
    clip.hidden = !this.#options.hasPast() || alert.active;
    const href = clipAddress(alert.lane, ...clipTimes(alert));
    set(clip, { href, "aria-label": `Clip of ${alert.label} as MP4` });
  }
}

/** The capture times of an alert's clip. */
function clipTimes({ fromTime, toTime }: AlertView): [after: number, before: number] {
  return [Math.max(0, fromTime - CLIP_MARGIN_MS), toTime + CLIP_MARGIN_MS];
}
