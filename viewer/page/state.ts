// What the wall shows, kept in the address: a link is a layout.
import { cameraText, type LaneView } from "../protocol.ts";
import { conditionOf, isGone } from "./condition.ts";
import { formatNumbers } from "./format.ts";

export interface Group {
  readonly name: string;
  /** Camera numbers: 1 is `CAMERA-1`. */
  readonly cameras: readonly number[];
}

/** The part of the layout that a link carries. */
export interface WallState {
  readonly groups: readonly Group[];
  /** Name of the shown group; empty for all cameras. */
  readonly group: string;
  readonly search: string;
  /** Name of a query, `raw`, or empty for all queries. */
  readonly view: string;
  /** Shows only lanes in this condition; empty for all. */
  readonly condition: string;
  /** Lanes reordered by the user; others follow. */
  readonly order: readonly string[];
  /** The lane shown alone. */
  readonly focus: string;
  readonly overlay: boolean;
  /** Number of columns; 0 for the best fit. */
  readonly columns: number;
  readonly time: boolean;
  /** Lane and offset of the frame that the wall is paused at; −1 if it is not. */
  readonly lead: string;
  readonly offset: number;
}

export const MAX_COLUMNS = 12;

/** Parses an address's query, ignoring invalid parts. */
export function parseState(search: string): WallState {
  const query = new URLSearchParams(search);
  const columns = Number(query.get("columns") ?? 0);
  return {
    groups: parseGroups(query.get("groups") ?? ""),
    group: query.get("group") ?? "",
    search: query.get("q") ?? "",
    view: query.get("view") ?? "",
    condition: query.get("state") ?? "",
    order: list(query.get("order"), ","),
    focus: query.get("focus") ?? "",
    overlay: query.get("overlay") !== "0",
    columns: Number.isInteger(columns) && columns > 0 && columns <= MAX_COLUMNS ? columns : 0,
    time: query.get("time") === "1",
    lead: query.get("lead") ?? "",
    offset: /^\d{1,15}$/.test(query.get("offset") ?? "") ? Number(query.get("offset")) : -1,
  };
}

/**
 * The user's groups, plus one for each place named by cameras; a user's group of the same name takes
 * precedence.
 */
export function groupsWith(groups: readonly Group[], lanes: readonly LaneView[]): Group[] {
  const places = new Map<string, Set<number>>();
  for (const { place, partition } of lanes) {
    const name = groupName(place ?? "");
    if (name === "" || groups.some((group) => group.name === name)) continue;
    places.set(name, (places.get(name) ?? new Set()).add(partition + 1));
  }
  const found = [...places].map(([name, cameras]) => ({ name, cameras: [...cameras] }));
  return [...groups, ...found.sort((a, b) => a.name.localeCompare(b.name))];
}

/** Formats the state as an address's query, omitting defaults. */
export function formatState(state: WallState): string {
  const query = new URLSearchParams();
  const put = (name: string, value: string) => {
    if (value !== "") query.set(name, value);
  };
  put("groups", formatGroups(state.groups));
  put("group", state.group);
  put("q", state.search);
  put("view", state.view);
  put("state", state.condition);
  put("order", state.order.join(","));
  put("focus", state.focus);
  put("overlay", state.overlay ? "" : "0");
  put("columns", state.columns === 0 ? "" : String(state.columns));
  put("time", state.time ? "1" : "");
  put("lead", state.lead);
  put("offset", state.offset < 0 ? "" : String(state.offset));
  // Commas and colons need no escape in a query, and are more readable.
  const text = query.toString().replaceAll("%2C", ",").replaceAll("%3A", ":");
  return text === "" ? "" : `?${text}`;
}

/** Groups as `Entrance:1,3-5~Yard:2`. */
export function formatGroups(groups: readonly Group[]): string {
  return groups.map(({ name, cameras }) => `${name}:${formatNumbers(cameras, ",")}`).join("~");
}

export function parseGroups(text: string): Group[] {
  const groups: Group[] = [];
  for (const part of list(text, "~")) {
    const at = part.lastIndexOf(":");
    const name = groupName(part.slice(0, at));
    const cameras = parseCameras(part.slice(at + 1));
    if (at < 1 || name === "" || cameras.length === 0) continue;
    if (!groups.some((group) => group.name === name)) groups.push({ name, cameras });
  }
  return groups;
}

export function groupName(text: string): string {
  return text.replace(/[~:\s]+/g, " ").trim().slice(0, 40);
}

/** Parses camera numbers such as `1, 3-5`. */
export function parseCameras(text: string): number[] {
  const cameras = new Set<number>();
  for (const part of text.split(/[\s,;]+/)) {
    const match = part.match(/^(\d{1,5})(?:[-–](\d{1,5}))?$/);
    if (match === null) continue;
    const first = Number(match[1]);
    const last = Math.min(Number(match[2] ?? first), first + 1_000);
    for (let camera = Math.max(1, first); camera <= last; camera++) cameras.add(camera);
  }
  return [...cameras].sort((a, b) => a - b);
}

/** The lanes of a query, or else of all; a partition that no query reads is shown as it is. */
export function lanesOfView(lanes: readonly LaneView[], view: string): LaneView[] {
  const partitionOf = ({ topic, partition }: LaneView) => `${partition} ${topic}`;
  const processed = new Set(lanes.filter(({ query }) => query !== "raw").map(partitionOf));
  return lanes.filter((lane) =>
    view !== "" ? lane.query === view : lane.query !== "raw" || !processed.has(partitionOf(lane))
  );
}

/** The lanes to show, in order. `cameras` restricts the page to some (`/cameras/1,3`). */
export function selectLanes(
  lanes: readonly LaneView[],
  state: WallState,
  cameras?: readonly number[],
): LaneView[] {
  const group = state.groups.find(({ name }) => name === state.group);
  const words = state.search.toLowerCase().split(/\s+/).filter((word) => word !== "");
  const selected = lanesOfView(lanes, state.view).filter((lane) => {
    const number = lane.partition + 1;
    if (cameras !== undefined && !cameras.includes(number)) return false;
    // Hide partitions that no camera has ever used.
    if (isGone(lane) && cameras === undefined && lane.id !== state.focus) return false;
    if (group !== undefined && !group.cameras.includes(number)) return false;
    if (state.condition !== "" && conditionOf(lane) !== state.condition) return false;
    const { camera, place = "", query, topic, name } = lane;
    const text = [cameraText(lane), camera, place, query, topic, name].join(" ").toLowerCase();
    return words.every((word) => text.includes(word));
  });
  const place = new Map(state.order.map((id, index) => [id, index]));
  const asked = new Map((cameras ?? []).map((camera, index) => [camera - 1, index]));
  return selected
    .map((lane, index) => ({ lane, index }))
    .sort((a, b) =>
      (place.get(a.lane.id) ?? Infinity) - (place.get(b.lane.id) ?? Infinity) ||
      (asked.get(a.lane.partition) ?? 0) - (asked.get(b.lane.partition) ?? 0) ||
      a.index - b.index
    )
    .map(({ lane }) => lane);
}

/** The order after moving lane `moved` before or after lane `target`. */
export function reorder(
  shown: readonly string[],
  moved: string,
  target: string,
  after: boolean,
): string[] {
  if (moved === target) return [...shown];
  const rest = shown.filter((id) => id !== moved);
  const at = rest.indexOf(target);
  rest.splice(at < 0 ? rest.length : at + (after ? 1 : 0), 0, moved);
  return rest;
}

function list(text: string | null, separator: string): string[] {
  return (text ?? "").split(separator).filter((part) => part !== "");
}
