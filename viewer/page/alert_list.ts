/**
 * The list of alerts: what, where, when, with the picture that it began with.
 *
 * @module
 */
import { type AlertView, cameraText, type Features } from "../protocol.ts";
import { element, iconButton, set, text } from "./dom.ts";
import { duration, recent } from "./format.ts";

/** What the list tells the page. */
export interface AlertListEvents {
  readonly onOpen: (alert: AlertView) => void;
  readonly onClose: () => void;
}

/** Newest alerts shown; older ones are in the server's list still. */
const SHOWN = 100;
/** A clip begins and ends so long before and after its alert, milliseconds. */
const CLIP_MARGIN_MS = 5_000;

/** The drawer with the alerts. */
export class AlertList {
  readonly root = element("aside", { class: "drawer", "aria-label": "Alerts" });
  readonly alerts = new Map<string, AlertView>();
  readonly #events: AlertListEvents;
  readonly #list = element("ol", { class: "alerts" });
  readonly #empty = element("p", { class: "muted" }, "No alerts");
  readonly #items = new Map<string, HTMLElement>();
  features: Features = { time: false, clips: false };

  constructor(events: AlertListEvents) {
    this.#events = events;
    this.root.hidden = true;
    this.root.append(
      element(
        "header",
        {},
        element("h2", {}, "Alerts"),
        iconButton("close", "Close", () => {
          this.root.hidden = true;
          events.onClose();
        }),
      ),
      this.#empty,
      this.#list,
    );
  }

  /** How many are going on. */
  get active(): number {
    let active = 0;
    for (const alert of this.alerts.values()) if (alert.active) active++;
    return active;
  }

  /** Takes alerts that are new or have changed. */
  take(alerts: readonly AlertView[]): void {
    for (const alert of alerts) {
      this.alerts.set(alert.id, alert);
      let item = this.#items.get(alert.id);
      if (item === undefined) {
        this.#items.set(alert.id, item = this.#item(alert));
        this.#insert(item, alert);
      }
      this.#update(item, alert);
    }
    while (this.#items.size > SHOWN) {
      const { id } = this.#oldest();
      this.#items.get(id)?.remove();
      this.#items.delete(id);
      this.alerts.delete(id);
    }
    this.#empty.hidden = this.#items.size > 0;
  }

  /** Forgets all: a server that was started again has a list of its own. */
  clear(): void {
    this.alerts.clear();
    this.#items.clear();
    this.#list.replaceChildren();
    this.#empty.hidden = false;
  }

  /** The newest comes first; what the log remembers comes in any order. */
  #insert(item: HTMLElement, { fromTime }: AlertView): void {
    let before = this.#list.firstElementChild;
    while (before !== null && this.#begun(before) > fromTime) before = before.nextElementSibling;
    item.dataset["begun"] = String(fromTime);
    this.#list.insertBefore(item, before);
  }

  #begun(item: Element): number {
    return Number((item as HTMLElement).dataset["begun"]);
  }

  #oldest(): AlertView {
    return [...this.alerts.values()].reduce((oldest, each) =>
      each.fromTime < oldest.fromTime ? each : oldest
    );
  }

  #item(alert: AlertView): HTMLElement {
    const open = element(
      "button",
      { type: "button", class: "alert-item" },
      element("img", {
        src: `/api/alerts/thumbnail?id=${encodeURIComponent(alert.id)}`,
        alt: "",
        loading: "lazy",
        width: 112,
        height: 63,
      }),
      element(
        "span",
        { class: "about" },
        element("strong"),
        element("span"),
        element("span", { class: "muted" }),
      ),
    );
    open.addEventListener("click", () => this.#events.onOpen(this.alerts.get(alert.id) ?? alert));
    return element(
      "li",
      {},
      open,
      element("a", { class: "button clip", download: true, hidden: true }, "MP4"),
    );
  }

  #update(item: HTMLElement, alert: AlertView): void {
    const [title, camera, when] = item.querySelectorAll(".about > *");
    text(title!, `${alert.label} ${Math.round(alert.peak * 100)} %`);
    text(camera!, cameraText(alert));
    const lasted = duration(Math.max(0, alert.toTime - alert.fromTime));
    text(when!, `${recent(alert.fromTime)} · ${alert.active ? "going on" : lasted}`);
    item.classList.toggle("active", alert.active);
    const query = new URLSearchParams({
      lane: alert.lane,
      after: String(Math.max(0, alert.fromTime - CLIP_MARGIN_MS)),
      before: String(alert.toTime + CLIP_MARGIN_MS),
    });
    const clip = item.querySelector<HTMLAnchorElement>(".clip")!;
    clip.hidden = !this.features.clips || alert.active;
    set(clip, { href: `/api/clip.mp4?${query}`, "aria-label": `Clip of ${alert.label} as MP4` });
  }
}
