// Asks a Kafka broker whether it serves clients, with one hand-made request: a Kafka client would
// bring reconnects and caches of its own, and what is asked here is whether it answers right now.

/** Metadata, version 1, of no topic; correlation id 1; client id "probe". */
const REQUEST = new Uint8Array([
  ...[0, 0, 0, 19],
  ...[0, 3, 0, 1, 0, 0, 0, 1],
  ...[0, 5, ...new TextEncoder().encode("probe")],
  ...[0, 0, 0, 0],
]);

/** How many brokers of the cluster this one knows; 0 if it does not answer within `timeoutMs`. */
export async function brokersSeenFrom(port: number, timeoutMs = 2_000): Promise<number> {
  let connection: Deno.TcpConn | undefined;
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    closeQuietly(connection);
  }, timeoutMs);
  try {
    connection = await Deno.connect({ hostname: "127.0.0.1", port });
    if (late) return 0;
    await connection.write(REQUEST);
    const answer = new Uint8Array(12);
    for (let filled = 0; filled < answer.length;) {
      const read = await connection.read(answer.subarray(filled));
      if (read === null) return 0;
      filled += read;
    }
    // Size, correlation id, then the length of the list of brokers.
    return new DataView(answer.buffer).getInt32(8);
  } catch (error) {
    if (isAway(error)) return 0;
    throw error;
  } finally {
    clearTimeout(timer);
    closeQuietly(connection);
  }
}

function isAway(error: unknown): boolean {
  return error instanceof Deno.errors.ConnectionRefused ||
    error instanceof Deno.errors.ConnectionReset ||
    error instanceof Deno.errors.BrokenPipe ||
    error instanceof Deno.errors.BadResource ||
    error instanceof Deno.errors.Interrupted ||
    error instanceof Deno.errors.UnexpectedEof;
}

function closeQuietly(connection: Deno.TcpConn | undefined): void {
  try {
    connection?.close();
  } catch (error) {
    // The timer was faster.
    if (!(error instanceof Deno.errors.BadResource)) throw error;
  }
}

/** Below the system's dynamic ports, so that no other process takes one between choice and use. */
const PORTS = { from: 20_000, count: 12_000 };
const given = new Set<number>();

/** A port of 127.0.0.1 that is free, never the same twice. */
export function freePort(): number {
  for (;;) {
    const port = PORTS.from + Math.floor(Math.random() * PORTS.count);
    if (given.has(port) || portInUse(port)) continue;
    given.add(port);
    return port;
  }
}

/** True when something listens on a port of this machine. */
export function portInUse(port: number): boolean {
  try {
    Deno.listen({ hostname: "127.0.0.1", port }).close();
    return false;
  } catch (error) {
    if (error instanceof Deno.errors.AddrInUse) return true;
    throw error;
  }
}
