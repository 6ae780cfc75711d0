// A TCP server for a test.

/**
 * Runs the body with a server; gives its host and port. A connection is closed once it is served,
 * and all of them when the body ends.
 */
export async function withServer(
  hostname: string,
  serve: (connection: Deno.TcpConn) => Promise<void>,
  body: (host: string) => Promise<void>,
): Promise<void> {
  const listener = Deno.listen({ hostname, port: 0 });
  const open = new Set<Deno.TcpConn>();
  const serving: Promise<void>[] = [];
  const accepting = (async () => {
    for await (const connection of listener) {
      open.add(connection);
      serving.push(
        serve(connection).finally(() => {
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
