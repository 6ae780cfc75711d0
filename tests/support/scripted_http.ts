/**
 * A server that writes what a test says, byte for byte, whatever is asked.
 *
 * @module
 */

/** A connection as a script sees it. */
export interface ScriptedExchange {
  /** The request's head. */
  readonly request: string;
  /** Writes text or bytes, in pieces of so many bytes where told. */
  write(data: string | Uint8Array, pieces?: number): Promise<void>;
}

/** Runs the body with a server; gives its host and port. A script's end closes the connection. */
export async function withScriptedHttp(
  script: (exchange: ScriptedExchange) => Promise<void>,
  body: (host: string) => Promise<void>,
  hostname = "127.0.0.1",
): Promise<void> {
  const listener = Deno.listen({ hostname, port: 0 });
  const open = new Set<Deno.Conn>();
  const serving: Promise<void>[] = [];
  const accepting = (async () => {
    for await (const connection of listener) {
      connection.setNoDelay(true);
      open.add(connection);
      serving.push(
        answer(connection, script).catch(() => {}).finally(() => {
          if (open.delete(connection)) connection.close();
        }),
      );
    }
  })();
  try {
    const { port } = listener.addr;
    await body(hostname.includes(":") ? `[${hostname}]:${port}` : `${hostname}:${port}`);
  } finally {
    listener.close();
    for (const connection of open) connection.close();
    open.clear();
    await accepting.catch(() => {});
    await Promise.all(serving);
  }
}

async function answer(
  connection: Deno.Conn,
  script: (exchange: ScriptedExchange) => Promise<void>,
): Promise<void> {
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
