// The local port where FFmpeg finds all relays of this process. Each relay has a secret path, since
// other programs on this machine can connect too.
import { RELAY_PORTS } from "../../runtime/base/access.ts";
import { systemClock } from "../../runtime/base/clock.ts";
import { SourceError } from "../source.ts";
import { ByteQueue } from "./bytes.ts";
import { Head } from "./head.ts";

/** A connection from FFmpeg. */
export interface RelayClient {
  readonly connection: Deno.TcpConn;
  readonly greeting: Head;
  /** The bytes that FFmpeg sends after it. */
  readonly input: ByteQueue;
}

const GREETING_MS = 5_000;
const ACCEPT_AGAIN_MS = 100;

const waiting = new Map<string, (client: RelayClient) => void>();
const listeners = new Map<string, Deno.TcpListener>();

export interface RelayPlace extends Disposable {
  /** Its address, to which the stream's own path is appended. */
  readonly url: string;
  readonly client: Promise<RelayClient>;
}

/**
 * Reserves a path; the port is open while at least one is reserved.
 *
 * @param camera the camera's address: FFmpeg expects video over UDP from the relay's kind of address
 */
export function takeRelayPlace(camera = ""): RelayPlace {
  const hostname = camera.includes(":") ? "::1" : "127.0.0.1";
  const secret = crypto.randomUUID();
  const { promise, resolve } = Promise.withResolvers<RelayClient>();
  let listener = listeners.get(hostname);
  if (listener === undefined) {
    listener = listen(hostname);
    listeners.set(hostname, listener);
    void serve(listener);
  }
  waiting.set(secret, resolve);
  return {
    url: `rtsp://${hostname === "::1" ? "[::1]" : hostname}:${listener.addr.port}/${secret}`,
    client: promise,
    [Symbol.dispose]() {
      waiting.delete(secret);
      if (waiting.size > 0) return;
      for (const one of listeners.values()) one.close();
      listeners.clear();
    },
  };
}

/** Listens on a free port among those that the launcher permits; without it, on any free one. */
function listen(hostname: string): Deno.TcpListener {
  for (const port of [...RELAY_PORTS, 0]) {
    try {
      return Deno.listen({ hostname, port });
    } catch (error) {
      if (error instanceof Deno.errors.AddrInUse) continue;
      const { NotCapable, PermissionDenied } = Deno.errors;
      if (!(error instanceof NotCapable || error instanceof PermissionDenied)) throw error;
      if (port === 0) break;
      const place = hostname.includes(":") ? `[${hostname}]:${port}` : `${hostname}:${port}`;
      throw new SourceError(
        "UNSUPPORTED",
        `this process may not listen at ${place}, where FFmpeg would read the stream; ` +
          `restart it with --allow-net ${place}`,
        { cause: error },
      );
    }
  }
  throw new SourceError(
    "UNREACHABLE",
    `FFmpeg cannot read the stream: ports ${RELAY_PORTS[0]} to ${
      RELAY_PORTS.at(-1)
    } of ${hostname} are in use`,
  );
}

/** Ends when the listener is closed. */
async function serve(listener: Deno.TcpListener): Promise<void> {
  for (;;) {
    try {
      void greet(await listener.accept());
    } catch (error) {
      const { BadResource, Interrupted } = Deno.errors;
      if (error instanceof BadResource || error instanceof Interrupted) return;
      // Such as too many open files: later there may be fewer.
      await systemClock.sleep(ACCEPT_AGAIN_MS);
    }
  }
}

async function greet(connection: Deno.TcpConn): Promise<void> {
  const timer = setTimeout(() => connection.close(), GREETING_MS);
  const input = new ByteQueue(connection.readable.values({ preventCancel: true }));
  try {
    const greeting = await Head.read(input, "RTSP");
    const secret = /^[A-Z_]+ rtsp:\/\/[^/\s]*\/([^/\s]*)/.exec(greeting?.lines[0] ?? "")?.[1];
    const resolve = waiting.get(secret ?? "");
    if (greeting !== undefined && resolve !== undefined) {
      clearTimeout(timer);
      // One client each: close any further connection.
      waiting.set(secret!, ({ connection }) => connection.close());
      return resolve({ connection, greeting, input });
    }
  } catch {
    // The client disconnected, was too slow, or speaks no RTSP.
  }
  clearTimeout(timer);
  try {
    connection.close();
  } catch (error) {
    if (!(error instanceof Deno.errors.BadResource)) throw error;
  }
}
