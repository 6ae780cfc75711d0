// A server that writes what a test says, byte for byte, whatever is asked.
import { withServer } from "./scripted_server.ts";

/** A connection as a script sees it. */
export interface ScriptedExchange {
  /** The request's head. */
  readonly request: string;
  /** Writes text or bytes, at most `pieces` bytes at a time. */
  write(data: string | Uint8Array, pieces?: number): Promise<void>;
}

/** Runs the body with a server; gives its host and port. A script's end closes the connection. */
export async function withScriptedHttp(
  script: (exchange: ScriptedExchange) => Promise<void>,
  body: (host: string) => Promise<void>,
  hostname = "127.0.0.1",
): Promise<void> {
  await withServer(hostname, (connection) => answer(connection, script).catch(() => {}), body);
}

async function answer(
  connection: Deno.TcpConn,
  script: (exchange: ScriptedExchange) => Promise<void>,
): Promise<void> {
  connection.setNoDelay(true);
  const buffer = new Uint8Array(16 * 1024);
  let request = "";
  while (!request.includes("\r\n\r\n")) {
    const length = await connection.read(buffer);
    if (length === null) return;
    request += new TextDecoder().decode(buffer.subarray(0, length));
  }
  await script({
    request,
    async write(data, pieces = Infinity) {
      const bytes = typeof data === "string" ? new TextEncoder().encode(data) : data;
      for (let at = 0; at < bytes.length;) {
        at += await connection.write(bytes.subarray(at, Math.min(bytes.length, at + pieces)));
      }
    },
  });
}
