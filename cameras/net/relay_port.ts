// The local port where FFmpeg finds all relays of this process. Each relay has a secret path, since
// other programs on this machine can connect too.
import { RELAY_PORTS } from "../../runtime/base/access.ts";
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
 * @param camera the camera's host: of video over UDP, FFmpeg expects the relay's kind of address
 */
export function takeRelayPlace(camera: string): RelayPlace {
  const hostname = camera.startsWith("[") ? "::1" : "127.0.0.1";
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

/** Listens on a free port among those that the launcher permits. */
function listen(hostname: string): Deno.TcpListener {
  const ports = [...RELAY_PORTS, 0];
  for (const port of ports) {
    try {
      return Deno.listen({ hostname, port });
    } catch (error) {
      if (error instanceof Deno.errors.NotCapable) break;
      if (!(error instanceof Deno.errors.AddrInUse)) throw error;
    }
  }
  const [first, last] = [RELAY_PORTS[0], RELAY_PORTS.at(-1)];
  throw new SourceError(
    "UNREACHABLE",
    `Cannot relay a stream to FFmpeg: ports ${first} to ${last} of ${hostname} are in use`,
  );
}

async function serve(listener: Deno.TcpListener): Promise<void> {
  for await (const connection of listener) void greet(connection);
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
