// An MJPEG camera that a test can break.
import { concatenated } from "../../runtime/base/bytes.ts";
import { paintCode } from "./fake_lanes.ts";

/** An MJPEG camera that can refuse, and be gone. */
export class HttpCamera {
  readonly #server: Deno.HttpServer<Deno.NetAddr>;
  readonly #stop = new AbortController();
  #streams = new AbortController();
  #refuses = false;

  constructor() {
    this.#server = Deno.serve(
      { hostname: "127.0.0.1", port: 0, signal: this.#stop.signal, onListen() {} },
      () =>
        this.#refuses
          ? new Response("no", { status: 401, headers: { "www-authenticate": 'Basic realm="x"' } })
          : new Response(this.#pictures(), {
            headers: { "content-type": "multipart/x-mixed-replace; boundary=b" },
          }),
    );
  }

  get url(): string {
    return `http://user:secret@127.0.0.1:${this.#server.addr.port}/video`;
  }

  /** Whether it refuses the password, from now on and for streams that are open. */
  set refuses(refuses: boolean) {
    this.#refuses = refuses;
    this.#streams.abort();
    this.#streams = new AbortController();
  }

  async close(): Promise<void> {
    this.#streams.abort();
    this.#stop.abort();
    await this.#server.finished;
  }

  #pictures(): ReadableStream<Uint8Array> {
    const { signal } = this.#streams;
    let timer: ReturnType<typeof setInterval>;
    let offset = 0;
    let left = false;
    return new ReadableStream<Uint8Array>({
      start(controller) {
        signal.addEventListener("abort", () => {
          clearInterval(timer);
          if (!left) controller.close();
        });
        timer = setInterval(() => {
          const image = paintCode(0, offset++, 160, 120);
          const head = `--b\r\nContent-Type: image/jpeg\r\nContent-Length: ${image.length}\r\n\r\n`;
          const [before, after] = [head, "\r\n"].map((text) => new TextEncoder().encode(text));
          // In one piece: a reader that takes the first of several may leave before the next.
          controller.enqueue(concatenated([before!, image, after!]));
        }, 1000 / 10);
      },
      cancel: () => {
        left = true;
        clearInterval(timer);
      },
    });
  }
}
