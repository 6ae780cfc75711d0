// `/` and `/cameras/1,3`: the wall page.
import type { AlertView, LaneView, ServerMessage } from "../protocol.ts";
import { cameraText, cameraTitle, PROTOCOL_VERSION, SPEEDS } from "../protocol.ts";
import { AlertList } from "./alert_list.ts";
import { Announcer } from "./announcer.ts";
import { emptyMessage, isGone } from "./condition.ts";
import { Connection, socketUrl } from "./connection.ts";
import { ClipDialog, GroupsDialog, showKeys } from "./dialogs.ts";
import { find, text } from "./dom.ts";
import { Header } from "./header.ts";
import { type KeyActions, listenForKeys } from "./keys.ts";
import { showsNumbers, toggleFullScreen, toggleNumbers } from "./looks.ts";
import { Panel } from "./panel.ts";
import {
  formatGroups,
  formatState,
  groupsWith,
  lanesOfView,
  MAX_COLUMNS,
  parseGroups,
  parseState,
  reorder,
  selectLanes,
  type WallState,
} from "./state.ts";
import { ServerClock } from "./server_clock.ts";
import { Stats } from "./stats.ts";
import { TimeControl } from "./time_control.ts";
import { Transport } from "./transport.ts";
import { Wall } from "./wall.ts";

const GROUPS_KEY = "framelane-groups";

class WallPage {
  readonly #cameras = decodeURIComponent(location.pathname).match(/^\/cameras\/([\d, ]+)$/)?.[1]
    ?.split(",").map(Number);
  /** Whether the page is of this camera. */
  readonly #isOurs = ({ partition }: { readonly partition: number }) =>
    this.#cameras?.includes(partition + 1) ?? true;
  readonly #clock = new ServerClock();
  readonly #connection: Connection;
  readonly #wall: Wall;
  readonly #header = new Header((change) => this.#change(change));
  readonly #panel = new Panel((lane) => this.#focus(lane));
  readonly #alerts = new AlertList({
    onOpen: (alert) => this.#openAlert(alert),
    onClip: (...clip) => void this.#clips.download(...clip),
    now: () => this.#clock.now(),
    hasPast: () => this.#time.hasPast,
  });
  readonly #groups = new GroupsDialog((groups) => {
    localStorage.setItem(GROUPS_KEY, formatGroups(groups));
    const gone = !groups.some(({ name }) => name === this.#state.group);
    this.#change({ groups, ...(gone ? { group: "" } : {}) });
  });
  readonly #clips = new ClipDialog(() => this.#clock.now());
  readonly #time: TimeControl;
  readonly #transport: Transport;
  readonly #stats = new Stats();
  readonly #banner = find(document, "#banner", HTMLElement);
  readonly #announcer = new Announcer();
  #state: WallState = parseState(location.search);
  #lanes: readonly LaneView[] = [];
  /** Those of the user and those of places, in the order of their tabs. */
  #shownGroups: WallState["groups"] = [];
  /** What is wrong with the connection to the server. */
  #away = "";
  /** Why the server cannot read the log. */
  #problem = "";

  constructor() {
    if (this.#state.groups.length === 0) {
      this.#state = {
        ...this.#state,
        groups: parseGroups(localStorage.getItem(GROUPS_KEY) ?? ""),
      };
    }
    this.#connection = new Connection(socketUrl(), {
      onMessage: (message) => this.#receive(message),
      onPicture: (picture) => this.#wall.take(picture),
      onProblem: (problem) => this.#connectionChanged(problem),
    });
    this.#wall = new Wall(this.#connection, {
      onFocus: (lane) => this.#focus(lane),
      onMove: (moved, target, after) => this.#move(moved, target, after),
      // While live, the next report of the server is soon enough.
      onLead: () => this.#time.live || this.#transport.update(),
    });
    this.#time = new TimeControl(
      (command) => this.#connection.time(command),
      this.#wall,
      () => this.#timeChanged(),
    );
    this.#wall.accepts = (picture) => this.#time.accepts(picture);
    this.#transport = new Transport({
      time: this.#time,
      wall: this.#wall,
      alerts: () => this.#alerts.alerts.values(),
      now: () => this.#clock.now(),
      onAlert: (alert) => this.#openAlert(alert),
    });
    listenForKeys(this.#keyActions());
    addEventListener("popstate", ({ state: past }) => {
      // The link to the cameras was followed: the address stays as it was.
      if (location.hash !== "") return this.#change({});
      const { lead, offset, groups } = this.#state;
      const state = this.#state = { ...parseState(location.search), groups };
      if (state.lead !== lead || state.offset !== offset) this.#seekAddressed();
      const { live, frame } = this.#time;
      if (state.offset < 0 && past !== true && (!live || frame !== undefined)) this.#time.goLive();
      this.#render();
    });
    this.#seekAddressed();
    this.#render();
  }

  #receive(message: ServerMessage): void {
    switch (message.type) {
      case "hello":
        if (message.version !== PROTOCOL_VERSION) location.reload();
        this.#time.hasPast = message.hasPast;
        this.#alerts.clear();
        this.#header.setAlerts(0);
        document.body.classList.toggle("no-time", !message.hasPast);
        this.#time.reconnected();
        break;
      case "lanes":
        this.#clock.hear(message.now);
        this.#problem = message.problem ?? "";
        this.#lanes = message.lanes.filter(this.#isOurs);
        this.#stats.push(this.#lanes);
        this.#announcer.take(this.#lanes);
        this.#alerts.update();
        this.#render();
        this.#time.know(this.#lanes.map(({ id }) => id));
        break;
      case "alerts":
        this.#alerts.take(message.alerts.filter(this.#isOurs));
        this.#header.setAlerts(this.#alerts.active);
        break;
      case "result":
        this.#wall.found(message.lane, message.offset, message.result);
        break;
      case "time":
        this.#time.apply(message.time);
    }
  }

  /** Changes the layout, on screen and in the address, whose entry says whether it shows the past. */
  #change(change: Partial<WallState>, history: "push" | "replace" = "replace"): void {
    this.#state = { ...this.#state, ...change };
    const url = location.pathname + formatState(this.#state);
    const past = !this.#time.live;
    if (history === "push") globalThis.history.pushState(past, "", url);
    else globalThis.history.replaceState(past, "", url);
    this.#render();
  }

  #render(): void {
    const lanes = this.#lanes;
    const present = lanes.filter((lane) => !isGone(lane));
    const groups = this.#shownGroups = groupsWith(this.#state.groups, present);
    const state = { ...this.#state, groups };
    const shown = selectLanes(lanes, state, this.#cameras);
    const focus = lanes.find(({ id }) => id === state.focus);
    // A focused lane is shown even if a filter excludes it.
    if (focus !== undefined && !shown.includes(focus)) shown.unshift(focus);
    document.body.classList.toggle("operator", !showsNumbers());
    text(this.#banner, this.#away || this.#problem);
    this.#wall.overlay = state.overlay;
    this.#wall.show(shown, { focus: state.focus, columns: state.columns, now: this.#clock.now() });
    this.#wall.say(shown.length > 0 ? "" : this.#whyEmpty());
    this.#header.update(state, lanesOfView(present, state.view), lanes);
    if (focus !== undefined) this.#updatePanel(focus);
    this.#transport.root.hidden = !state.time && this.#time.live && focus === undefined;
    this.#transport.update();
    document.title = focus === undefined ? "Framelane" : `${cameraTitle(focus).title} · Framelane`;
  }

  #whyEmpty(): string {
    if (!this.#clock.heard) return "Connecting …";
    return this.#problem !== "" && this.#lanes.length === 0
      ? this.#problem
      : emptyMessage(this.#lanes, this.#cameras !== undefined);
  }

  #updatePanel(lane: LaneView): void {
    const tile = this.#wall.tiles.get(lane.id);
    const others = this.#lanes.filter(({ partition, topic, query }) =>
      partition === lane.partition && (topic === lane.topic || query !== "raw")
    );
    this.#panel.update(
      lane,
      others,
      this.#stats.of(lane.id),
      tile?.shown === undefined ? undefined : {
        ...tile.shown,
        size: tile.size,
        ageMs: this.#time.live ? tile.ageMs(this.#clock.skew) : undefined,
      },
      this.#clock.now(),
    );
  }

  #focus(lane: string): void {
    if (lane === this.#state.focus) return;
    this.#change({ focus: lane }, "push");
    if (lane !== "") this.#wall.tiles.get(lane)?.root.focus();
    else this.#wall.selected?.root.focus();
  }

  #move(moved: string, target: string, after: boolean): void {
    // What a filter hides keeps its place.
    const { order } = this.#state;
    const state = { ...this.#state, group: "", search: "", condition: "" };
    const all = selectLanes(this.#lanes, state, this.#cameras).map(({ id }) => id);
    const others = order.filter((id) => !all.includes(id));
    this.#change({ order: [...reorder(all, moved, target, after), ...others] });
  }

  #editGroups(): void {
    const cameras = new Map(
      this.#lanes.flatMap((lane) => isGone(lane) ? [] : [[lane.partition + 1, cameraText(lane)]]),
    );
    this.#groups.show(
      this.#state.groups,
      [...cameras].map(([number, name]) => ({ number, name })),
    );
  }

  #toggleAlerts(): void {
    this.#alerts.root.hidden = !this.#alerts.root.hidden;
    this.#wall.layout();
    // Not the first button, which marks all alerts as seen.
    if (!this.#alerts.root.hidden) find(this.#alerts.root, ".icon-button", HTMLElement).focus();
  }

  #openAlert(alert: AlertView): void {
    this.#change({ focus: alert.lane, time: true }, "push");
    if (!this.#time.hasPast) return;
    this.#time.seek(alert.lane, alert.fromOffset);
  }

  #clip(): void {
    const { lead } = this.#wall;
    if (!this.#time.hasPast || lead?.shown === undefined) return;
    this.#clips.ask(lead.laneId, cameraText(lead.lane), lead.shown.timestamp);
  }

  /** Seeks to the frame in the address, if there is one. */
  #seekAddressed(): void {
    const { lead, focus, offset } = this.#state;
    if (offset >= 0) this.#time.seek(lead || focus, offset);
  }

  #timeChanged(): void {
    const past = !this.#time.live;
    document.body.classList.toggle("looking-back", past);
    // Links point to a paused frame; during playback there is none.
    const { lane: lead = "", offset = -1 } = this.#time.frame ?? {};
    const changed = lead !== this.#state.lead || offset !== this.#state.offset ||
      past !== (history.state ?? false);
    if (changed) this.#change({ lead, offset });
    else this.#render();
  }

  #connectionChanged(problem: string): void {
    this.#away = problem;
    document.body.classList.toggle("lost", problem !== "");
    this.#render();
  }

  #keyActions(): KeyActions {
    const time = this.#time;
    const wall = this.#wall;
    return {
      "arrowleft": () => wall.move(-1, 0),
      "arrowright": () => wall.move(1, 0),
      "arrowup": () => wall.move(0, -1),
      "arrowdown": () => wall.move(0, 1),
      "alt+arrowleft": () => this.#moveSelected(-1),
      "alt+arrowup": () => this.#moveSelected(-1),
      "alt+arrowright": () => this.#moveSelected(1),
      "alt+arrowdown": () => this.#moveSelected(1),
      "enter": () => this.#focus(this.#state.focus === "" ? wall.lead?.laneId ?? "" : ""),
      "escape": () => this.#alerts.root.hidden ? this.#focus("") : this.#toggleAlerts(),
      "/": () => this.#header.search.focus(),
      "+": () => this.#change({ columns: Math.min(MAX_COLUMNS, (this.#state.columns || 4) + 1) }),
      "-": () => this.#change({ columns: Math.max(1, (this.#state.columns || 4) - 1) }),
      "0": () => this.#change({ columns: 0 }),
      " ": () => time.toggle(),
      ",": () => time.step(-1),
      ".": () => time.step(1),
      // With Shift, keyboards produce different characters.
      "shift+,": () => time.step(-10),
      "shift+<": () => time.step(-10),
      "shift+;": () => time.step(-10),
      "shift+.": () => time.step(10),
      "shift+>": () => time.step(10),
      "shift+:": () => time.step(10),
      "[": () => time.play(Math.max(SPEEDS[0]!, time.speed / 2)),
      "]": () => time.play(Math.min(SPEEDS.at(-1)!, time.speed * 2)),
      "l": () => time.goLive(),
      "c": () => this.#clip(),
      "t": () => this.#change({ time: !this.#state.time }),
      "a": () => this.#toggleAlerts(),
      "j": () => this.#alerts.go(1),
      "k": () => this.#alerts.go(-1),
      "o": () => this.#change({ overlay: !this.#state.overlay }),
      "g": () => this.#editGroups(),
      "f": toggleFullScreen,
      "n": () => {
        toggleNumbers();
        this.#render();
      },
      "?": showKeys,
      ...Object.fromEntries(
        Array.from({ length: 9 }, (_, index) => [index + 1, () => this.#showGroup(index)]),
      ),
    };
  }

  #showGroup(index: number): boolean {
    const group = index === 0 ? "" : this.#shownGroups[index - 1]?.name;
    if (group !== undefined) this.#change({ group });
    return group !== undefined;
  }

  #moveSelected(by: number): void {
    const moved = this.#wall.selected?.laneId;
    const target = this.#wall.neighbour(by);
    if (moved === undefined || target === undefined) return;
    this.#move(moved, target, by > 0);
    this.#wall.tiles.get(moved)?.root.focus();
  }
}

new WallPage();
