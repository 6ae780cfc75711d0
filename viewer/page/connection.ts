// The page's one socket. It comes back by itself, forever, and then asks for the same tiles again.
import {
  decodePicture,
  MAX_PAGE_MESSAGE,
  type PageMessage,
  type PictureMessage,
  type ServerMessage,
  type TileRequest,
  type TimeCommand,
} from "../protocol.ts";

/** The listeners of a connection. */
export interface ConnectionEvents {
  readonly onMessage: (message: ServerMessage) => void;
  readonly onPicture: (picture: PictureMessage) => void;
  /**
   * Called when the state changes, and twice a second while nothing comes from the server. `nextTry`, of
   * `lost`: when the next attempt is made, in `performance.now()`.
   */
  readonly onState: (state: ConnectionState, nextTry?: number) => void;
}

/** `open` is a new connection; `heard` is one that was `silent`. */
export type ConnectionState = "open" | "heard" | "silent" | "lost";

const FIRST_RETRY_MS = 300;
const LONGEST_RETRY_MS = 5_000;
const CHECK_MS = 500;
/** The server says something twice a second: one that is silent for this long does not answer. */
const SILENT_MS = 2_000;
/** A connection that is silent for this long is given up. */
const GONE_MS = 15_000;

/** Where the server listens for this page. */
export function socketUrl(): string {
  const url = new URL("/ws", location.href);
  url.protocol = url.protocol.replace("http", "ws");
  return url.href;
}

/** Talks with the server. */
export class Connection {
  readonly #url: string;
  readonly #events: ConnectionEvents;
  #socket: WebSocket | undefined;
  #retry = FIRST_RETRY_MS;
  #timer = 0;
  #nextTry = 0;
  /** When the server said something last, or was first spoken to. */
  #heardAt = 0;
  #silent = false;
  #tiles: readonly TileRequest[] = [];
  #generation = 0;
  /** Newest sequence to confirm, by slot; sent with the next animation frame. */
  readonly #drawn = new Map<number, number>();

  constructor(url: string, events: ConnectionEvents) {
    this.#url = url;
    this.#events = events;
    this.#open();
    setInterval(() => this.#check(), CHECK_MS);
    // What keeps a retry waiting may be over: a laptop that wakes up, a network that is back.
    addEventListener("online", () => this.retryNow());
    document.addEventListener("visibilitychange", () => {
      if (document.visibilityState === "visible") this.retryNow();
    });
  }

  get open(): boolean {
    return this.#socket?.readyState === WebSocket.OPEN;
  }

  /** Sets the tiles that this page shows. */
  watch(tiles: readonly TileRequest[]): void {
    this.#tiles = tiles;
    this.#send({ type: "watch", tiles });
  }

  /** Confirms a picture that was drawn or overtaken; goes out with `flush`. */
  drawn(slot: number, sequence: number): void {
    this.#drawn.set(slot, Math.max(sequence, this.#drawn.get(slot) ?? 0));
  }

  /** Sends the confirmations. */
  flush(): void {
    if (this.#drawn.size === 0) return;
    this.#send({ type: "drawn", tiles: [...this.#drawn] });
    this.#drawn.clear();
  }

  /** Sends a command about time; returns the generation of the pictures that will answer it. */
  time(command: TimeCommand): number {
    this.#send({ type: "time", generation: ++this.#generation, command });
    return this.#generation;
  }

  /** Tries at once, unless connected. */
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
      this.#silent = false;
      this.#retry = FIRST_RETRY_MS;
      this.#drawn.clear();
      this.#events.onState("open");
      this.#send({ type: "watch", tiles: this.#tiles });
    };
    socket.onmessage = ({ data }: MessageEvent<string | ArrayBuffer>) => {
      if (this.#socket !== socket) return; // given up
      this.#heardAt = performance.now();
      if (this.#silent) this.#events.onState("heard");
      this.#silent = false;
      if (typeof data === "string") this.#events.onMessage(JSON.parse(data) as ServerMessage);
      else this.#events.onPicture(decodePicture(data));
    };
    socket.onclose = () => {
      if (this.#socket !== socket) return;
      if (!opened) void signInAgain();
      this.#lose();
    };
  }

  #lose(): void {
    this.#socket = undefined;
    // Spread out, so that a hundred pages do not all return at the same instant.
    const wait = this.#retry * (0.75 + Math.random() / 2);
    this.#retry = Math.min(this.#retry * 1.7, LONGEST_RETRY_MS);
    this.#nextTry = performance.now() + wait;
    this.#events.onState("lost", this.#nextTry);
    this.#timer = setTimeout(() => {
      this.#timer = 0;
      this.#open();
    }, wait);
  }

  #check(): void {
    if (this.#timer !== 0) return this.#events.onState("lost", this.#nextTry);
    const silence = performance.now() - this.#heardAt;
    if (silence < SILENT_MS) return;
    this.#silent = true;
    this.#events.onState("silent");
    if (silence < GONE_MS) return;
    this.#socket?.close();
    this.#lose();
  }

  #send(message: PageMessage): void {
    if (!this.open) return;
    const text = JSON.stringify(message);
    if (text.length <= MAX_PAGE_MESSAGE) this.#socket!.send(text);
  }
}

/** A socket that is refused may mean that the token was changed: then the page asks for it. */
async function signInAgain(): Promise<void> {
  try {
    if ((await fetch("/api/lanes")).status === 401) location.reload();
  } catch {
    // The server is away: the next attempt will tell.
  }
}
