// A real RTSP server for tests: GStreamer's, in a process of its own.
import { join } from "node:path";

const SCRIPT = join(import.meta.dirname!, "rtsp_server.py");

/** A server that runs. */
export class RtspServer {
  readonly #child: Deno.ChildProcess;
  readonly port: number;

  private constructor(child: Deno.ChildProcess, port: number) {
    this.#child = child;
    this.port = port;
  }

  /** Starts a server that plays a clip at `/clip`, on the port given or a free one. */
  static async start(
    clip: string,
    options: {
      readonly port?: number;
      /** Of the clip. */
      readonly codec?: "h264" | "h265";
      /** The server's address; 127.0.0.1 by default. */
      readonly address?: string;
      readonly user?: string;
      readonly password?: string;
      /** All clients get the same stream, as of a camera, where they come in. */
      readonly shared?: boolean;
      /** A file with a certificate and its key: the server speaks TLS. */
      readonly tls?: string;
    } = {},
  ): Promise<RtspServer> {
    const { port = 0, address = "127.0.0.1", codec = "h264", shared = false, user, password, tls } =
      options;
    const child = new Deno.Command("/usr/bin/python3", {
      args: [
        SCRIPT,
        clip,
        `--port=${port}`,
        `--codec=${codec}`,
        `--address=${address}`,
        ...(shared ? ["--shared"] : []),
        ...(tls === undefined ? [] : [`--tls=${tls}`]),
        ...(user === undefined ? [] : [`--user=${user}`, `--password=${password}`]),
      ],
      stdin: "null",
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
    const reader = child.stdout.getReader();
    let text = "";
    while (!text.includes("\n")) {
      const { value, done } = await reader.read();
      if (done) throw new Error("The RTSP server ended before it listened");
      text += new TextDecoder().decode(value);
    }
    reader.releaseLock();
    return new RtspServer(child, Number(text));
  }

  /** Ends it at once, without a good-bye to its clients. */
  async kill(): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#child.status;
    await this.#child.stdout.cancel();
  }
}
