// The page's only socket. It reconnects forever, and requests the same tiles again.
import {
  decodePicture,
  MAX_PAGE_MESSAGE,
  MAX_TILES,
  type PageMessage,
  type PictureMessage,
  type ServerMessage,
  type TileRequest,
  type TimeCommand,
} from "../protocol.ts";

export interface ConnectionEvents {
  readonly onMessage: (message: ServerMessage) => void;
  readonly onPicture: (picture: PictureMessage) => void;
  /** Called with what is wrong with the connection, twice a second; empty once the server is heard again. */
  readonly onProblem: (problem: string) => void;
}

const FIRST_RETRY_MS = 300;
const LONGEST_RETRY_MS = 5_000;
const CHECK_MS = 500;
/** Access units are confirmed this many at a time, or after this time: each message wakes the server. */
const UNITS_TOGETHER = 8;
const UNITS_CONFIRMED_MS = 200;
/** The server sends twice a second; after this silence it counts as not responding. */
const SILENT_MS = 2_000;
/** After this silence the connection is abandoned. */
const GONE_MS = 15_000;
const LOST = "Connection lost. Retrying …";

/** The server's WebSocket URL for this page. */
export function socketUrl(): string {
  const url = new URL("/ws", location.href);
  url.protocol = url.protocol.replace("http", "ws");
  return url.href;
}

export class Connection {
  readonly #url: string;
  readonly #events: ConnectionEvents;
  #socket: WebSocket | undefined;
  #retry = FIRST_RETRY_MS;
  #timer = 0;
  /** When the last message arrived, or the connection attempt started. */
  #heardAt = 0;
  #problem = "";
  #tiles: readonly TileRequest[] = [];
  #generation = 0;
  /** Newest sequence to confirm by lane, and how many pictures that confirms. */
  readonly #drawn = new Map<string, number>();
  #pending = 0;
  /** Lanes that send access units. */
  readonly #units = new Set<string>();
  #confirming = 0;

  constructor(url: string, events: ConnectionEvents) {
    this.#url = url;
    this.#events = events;
    this.#open();
    setInterval(() => this.#check(), CHECK_MS);
    // The cause of the retry delay may be gone: a laptop wakes up, a network is back.
    addEventListener("online", () => this.retryNow());
    document.addEventListener("visibilitychange", () => {
      if (document.visibilityState === "visible") this.retryNow();
    });
  }

  watch(tiles: readonly TileRequest[]): void {
    this.#tiles = tiles;
    this.#send({ type: "watch", tiles });
  }

  /** Confirms a picture that was drawn or skipped; sent by `flush`. */
  drawn(lane: string, sequence: number): void {
    this.#drawn.set(lane, Math.max(sequence, this.#drawn.get(lane) ?? 0));
    this.#pending++;
  }

  /** Confirms what was drawn: pictures at once, access units several together. */
  flush(): void {
    const wait = this.#pending < UNITS_TOGETHER &&
      [...this.#drawn.keys()].every((lane) => this.#units.has(lane));
    if (!wait) this.#confirm();
    else if (this.#confirming === 0) {
      this.#confirming = setTimeout(() => this.#confirm(), UNITS_CONFIRMED_MS);
    }
  }

  /** Sends a time command; returns the generation of the pictures that will answer it. */
  time(command: TimeCommand): number {
    this.#send({ type: "time", generation: ++this.#generation, command });
    return this.#generation;
  }

  /** Ends the retry delay, if there is one. */
  retryNow(): void {
    if (this.#timer === 0) return;
    clearTimeout(this.#timer);
    this.#timer = 0;
    this.#open();
  }

  #open(): void {
    const socket = this.#socket = new WebSocket(this.#url);
    socket.binaryType = "arraybuffer";
    this.#heardAt = performance.now();
    let opened = false;
    socket.onopen = () => {
      opened = true;
      this.#retry = FIRST_RETRY_MS;
      this.#drawn.clear();
      this.#send({ type: "watch", tiles: this.#tiles });
    };
    socket.onmessage = ({ data }: MessageEvent<string | ArrayBuffer>) => {
      if (this.#socket !== socket) return; // abandoned
      this.#heardAt = performance.now();
      if (this.#problem !== "") this.#tell("");
      if (typeof data === "string") this.#events.onMessage(JSON.parse(data) as ServerMessage);
      else this.#take(decodePicture(data));
    };
    socket.onclose = () => {
      if (this.#socket !== socket) return;
      if (!opened) void reloadIfSignedOut();
      this.#lose();
    };
  }

  #take(picture: PictureMessage): void {
    if (picture.unit === undefined) this.#units.delete(picture.lane);
    else this.#units.add(picture.lane);
    this.#events.onPicture(picture);
  }

  #confirm(): void {
    clearTimeout(this.#confirming);
    this.#confirming = this.#pending = 0;
    if (this.#drawn.size === 0) return;
    const tiles = [...this.#drawn];
    while (tiles.length > 0) this.#send({ type: "drawn", tiles: tiles.splice(0, MAX_TILES) });
    this.#drawn.clear();
  }

  #lose(): void {
    this.#socket = undefined;
    // With jitter, so that many pages do not reconnect at once.
    const wait = this.#retry * (0.75 + Math.random() / 2);
    this.#retry = Math.min(this.#retry * 1.7, LONGEST_RETRY_MS);
    this.#tell(LOST);
    this.#timer = setTimeout(() => {
      this.#timer = 0;
      this.#open();
    }, wait);
  }

  #tell(problem: string): void {
    this.#events.onProblem(this.#problem = problem);
  }

  #check(): void {
    if (this.#timer !== 0) return this.#tell(LOST);
    const silence = performance.now() - this.#heardAt;
    if (silence < SILENT_MS) return;
    this.#tell("The server does not answer");
    if (silence < GONE_MS) return;
    this.#socket?.close();
    this.#lose();
  }

  #send(message: PageMessage): void {
    const text = JSON.stringify(message);
    if (this.#socket?.readyState !== WebSocket.OPEN || text.length > MAX_PAGE_MESSAGE) return;
    this.#socket.send(text);
  }
}

/** A refused socket may mean that the token has changed: reload to show the login form. */
async function reloadIfSignedOut(): Promise<void> {
  try {
    if ((await fetch("/api/lanes")).status === 401) location.reload();
  } catch {
    // The server is unreachable; retried anyway.
  }
}
