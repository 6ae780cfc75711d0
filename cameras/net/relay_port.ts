// The local port where FFmpeg finds all relays of the process, each by a random word in its
// address, since other programs could connect as well.
import { RELAY_PORTS } from "../../runtime/base/access.ts";
import { ByteQueue } from "./bytes.ts";

/** FFmpeg, connected. */
export interface RelayClient {
  readonly connection: Deno.TcpConn;
  /** Its bytes so far, and those that follow. */
  readonly input: ByteQueue;
}

/** How long the first line may take, milliseconds. */
const GREETING_MS = 5_000;
const MOST_GREETING = 16 * 1024;

const waiting = new Map<string, (client: RelayClient) => void>();
let listener: Deno.TcpListener | undefined;

export interface RelayPlace extends Disposable {
  /** The address that leads to it, without a path. */
  readonly url: string;
  readonly client: Promise<RelayClient>;
}

/** Takes a place; the port is open while there is one. */
export function takeRelayPlace(): RelayPlace {
  const word = crypto.randomUUID();
  const { promise, resolve } = Promise.withResolvers<RelayClient>();
  if (listener === undefined) {
    listener = listen();
    void serve(listener);
  }
  waiting.set(word, resolve);
  return {
    url: `rtsp://127.0.0.1:${listener.addr.port}/${word}`,
    client: promise,
    [Symbol.dispose]() {
      waiting.delete(word);
      if (waiting.size > 0) return;
      listener?.close();
      listener = undefined;
    },
  };
}

/** Listens on a free one of the ports that the launcher allows. */
function listen(): Deno.TcpListener {
  for (const port of RELAY_PORTS) {
    try {
      return Deno.listen({ hostname: "127.0.0.1", port });
    } catch (error) {
      if (!(error instanceof Deno.errors.AddrInUse)) throw error;
    }
  }
  return Deno.listen({ hostname: "127.0.0.1", port: 0 });
}

async function serve(listener: Deno.TcpListener): Promise<void> {
  for await (const connection of listener) void greet(connection);
}

/** Hands a client to the relay that its first line names. */
async function greet(connection: Deno.TcpConn): Promise<void> {
  const timer = setTimeout(() => connection.close(), GREETING_MS);
  const input = new ByteQueue(connection.readable.values({ preventCancel: true }));
  try {
    for (;;) {
      const text = new TextDecoder().decode(input.bytes);
      const word = /^[A-Z_]+ rtsp:\/\/[^/\s]*\/([^/\s]*)/.exec(text)?.[1] ?? "";
      const resolve = text.includes("\n") ? waiting.get(word) : undefined;
      if (resolve !== undefined) {
        clearTimeout(timer);
        // Each has one client; a second one is closed.
        waiting.set(word, ({ connection }) => connection.close());
        return resolve({ connection, input });
      }
      if (text.includes("\n") || text.length > MOST_GREETING || !await input.more()) break;
    }
  } catch {
    // It left, or was too slow.
  }
  clearTimeout(timer);
  try {
    connection.close();
  } catch (error) {
    if (!(error instanceof Deno.errors.BadResource)) throw error;
  }
}
