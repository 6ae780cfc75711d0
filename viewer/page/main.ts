/**
 * The page: joins connection, wall and controls.
 *
 * @module
 */
import type { LaneView, ServerMessage } from "../protocol.ts";
import { Connection } from "./connection.ts";
import { element, icon, iconButton, text } from "./dom.ts";
import { conditionOf } from "./tile.ts";
import { Wall } from "./wall.ts";

const bar = document.getElementById("bar")!;
const banner = document.getElementById("banner")!;
const cameras = location.pathname.match(/^\/cameras\/([\d,]+)$/)?.[1]?.split(",").map(Number);
const socketUrl = new URL("/ws", location.href);
socketUrl.protocol = socketUrl.protocol.replace("http", "ws");

let lanes: readonly LaneView[] = [];
const summary = element("p", { class: "summary", role: "status" });
const logo = element("img", { src: "/assets/page/icon.svg", alt: "", width: 24, height: 24 });

const connection = new Connection(socketUrl.href, {
  onMessage,
  onPicture: (picture) => wall.take(picture),
  onState: (state) => {
    document.body.classList.toggle("lost", state === "lost");
    banner.hidden = state === "open";
    if (state === "lost") text(banner, "Connection lost. Reconnecting …");
  },
});
const wall = new Wall(document.getElementById("wall")!, connection);

bar.append(
  element("a", { class: "brand", href: "/" }, logo, element("span", {}, "Framelane")),
  element("div", { class: "spacer" }),
  summary,
  iconButton("sun", "Light or dark", () => {
    const root = document.documentElement;
    root.dataset["theme"] = root.dataset["theme"] === "light" ? "dark" : "light";
  }),
  iconButton("expand", "Full screen", () => {
    void (document.fullscreenElement === null
      ? document.documentElement.requestFullscreen()
      : document.exitFullscreen());
  }),
);
void icon;

function onMessage(message: ServerMessage): void {
  if (message.type !== "lanes") return;
  lanes = message.lanes.filter((lane) => cameras?.includes(lane.partition + 1) ?? true);
  wall.show(lanes, message.now);
  wall.empty(lanes.length > 0 ? "" : "No cameras yet");
  const style = getComputedStyle(document.documentElement);
  for (const tile of wall.tiles.values()) tile.drawSpark(style.getPropertyValue("--spark"));
  const counts = new Map<string, number>();
  for (const lane of lanes) {
    const condition = conditionOf(lane);
    counts.set(condition, (counts.get(condition) ?? 0) + 1);
  }
  text(summary, [...counts].map(([condition, count]) => `${count} ${condition}`).join(" · "));
}
