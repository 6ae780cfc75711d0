// What the viewer's tests share.
import {
  decodePicture,
  type PageMessage,
  type PictureMessage,
  type ServerMessage,
} from "../../viewer/protocol.ts";
import { MemoryLog } from "../../runtime/testing/memory_log.ts";
import { startViewer, type Viewer, type ViewerOptions } from "../../viewer/viewer.ts";
import { until as waitUntil } from "../support/until.ts";
import { FakeLanes, type FakeLanesOptions } from "../support/fake_lanes.ts";

/** Starts a viewer of fake lanes on a free port, runs `body`, stops it. */
export async function withViewer(
  options: Partial<ViewerOptions> & { lanes?: FakeLanesOptions },
  body: (viewer: Viewer, lanes: FakeLanes) => Promise<void>,
): Promise<void> {
  const lanes = new FakeLanes({ count: 3, ...options.lanes });
  const viewer = await startViewer({
    feed: lanes,
    metrics: () => Promise.resolve("framelane_build_info 1\n"),
    topics: ["VideoStreaming"],
    port: 0,
    ...options,
  });
  try {
    await body(viewer, lanes);
  } finally {
    lanes.stop();
    await viewer.stop();
  }
}

/** Waits for a condition. */
export function until(
  condition: () => boolean | Promise<boolean>,
  what: string = String(condition),
): Promise<void> {
  return waitUntil(what, condition);
}

/** A log with frames of two cameras. */
export async function recorded(
  count: number,
  time: (offset: number) => number,
  paint: (partition: number, offset: number) => Uint8Array,
): Promise<MemoryLog> {
  const log = new MemoryLog();
  await log.createTopic("VideoStreaming", 2);
  for (const partition of [0, 1]) {
    for (let offset = 0; offset < count; offset++) {
      const value = paint(partition, offset);
      log.append("VideoStreaming", partition, [
        { key: null, value, timestamp: time(offset), headers: {} },
      ]);
    }
  }
  return log;
}

/** A page of which only the socket is there. */
export class TestPage {
  readonly messages: ServerMessage[] = [];
  readonly pictures: PictureMessage[] = [];
  /** Confirms each picture as soon as it comes. */
  draws = true;
  readonly closed: Promise<CloseEvent>;
  readonly #socket: WebSocket;
  #watched: readonly string[] = [];
  #generation = 0;

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.binaryType = "arraybuffer";
    const { promise, resolve } = Promise.withResolvers<CloseEvent>();
    this.closed = promise;
    socket.onclose = resolve;
    socket.onmessage = ({ data }) => {
      if (typeof data === "string") {
        this.messages.push(JSON.parse(data));
        return;
      }
      const picture = decodePicture(data);
      this.pictures.push(picture);
      if (this.draws) this.draw(picture);
    };
  }

  static async open(
    viewer: Pick<Viewer, "url">,
    headers: Record<string, string> = {},
  ): Promise<TestPage> {
    const url = `${viewer.url.replace("http", "ws")}ws`;
    const page = new TestPage(new WebSocket(url, { headers }));
    await new Promise<void>((resolve, reject) => {
      page.#socket.onopen = () => resolve();
      page.#socket.onerror = () => reject(new Error("The socket was refused"));
    });
    page.#socket.onerror = null;
    return page;
  }

  get buffered(): number {
    return this.#socket.bufferedAmount;
  }

  send(message: PageMessage): void {
    if (message.type === "watch") this.#watched = message.tiles.map(({ lane }) => lane);
    this.#socket.send(JSON.stringify(message));
  }

  sendRaw(data: string | ArrayBuffer): void {
    this.#socket.send(data);
  }

  watch(...lanes: string[]): void {
    this.send({ type: "watch", tiles: lanes.map((lane) => ({ lane, width: 0 })) });
  }

  draw({ lane, sequence }: PictureMessage): void {
    if (this.#socket.readyState !== WebSocket.OPEN) return;
    this.send({ type: "drawn", tiles: [[lane, sequence]] });
  }

  /** Gives a command about time and waits for the answer. */
  async time(
    command: Extract<PageMessage, { type: "time" }>["command"],
  ): Promise<Extract<ServerMessage, { type: "time" }>["time"]> {
    const generation = ++this.#generation;
    this.send({ type: "time", generation, command });
    let answer: Extract<ServerMessage, { type: "time" }> | undefined;
    await until(() => {
      answer = this.messages.findLast((message) =>
        message.type === "time" && message.time.generation === generation
      ) as typeof answer;
      return answer !== undefined;
    }, `an answer to ${JSON.stringify(command)}`);
    return answer!.time;
  }

  /** The newest picture of a lane, of those watched: by its place among them, of the newest command. */
  newest(at: number): PictureMessage | undefined {
    return this.pictures.findLast((picture) =>
      picture.lane === this.#watched[at] && picture.generation === this.#generation
    );
  }

  async close(): Promise<void> {
    this.#socket.close();
    await this.closed;
  }
}

/** Reads parts of a multipart stream, then gives it up. `onPart` is called after each. */
export async function readParts(
  response: Response,
  count: number,
  onPart: () => void = () => {},
): Promise<{ headers: string; body: Uint8Array }[]> {
  const parts: { headers: string; body: Uint8Array }[] = [];
  let rest = new Uint8Array();
  for await (const chunk of response.body!) {
    const joined = new Uint8Array(rest.length + chunk.length);
    joined.set(rest);
    joined.set(chunk, rest.length);
    rest = joined;
    while (true) {
      const text = new TextDecoder("latin1").decode(rest);
      const head = text.match(/(?:^|\r\n)--\S+\r\n((?:.+\r\n)+)\r\n/);
      if (head === null) break;
      const start = head.index! + head[0].length;
      const length = Number(head[1]!.match(/content-length: (\d+)/i)![1]);
      if (rest.length < start + length) break;
      parts.push({ headers: head[1]!, body: rest.slice(start, start + length) });
      rest = rest.slice(start + length);
      if (parts.length === count) return parts;
      onPart();
    }
  }
  return parts;
}
