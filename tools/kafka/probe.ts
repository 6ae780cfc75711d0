// Asks a Kafka broker whether it serves clients, with one hand-made request: a Kafka client would
// bring reconnects and caches of its own, and what is asked here is whether it answers right now.

import { connect } from "node:net";

/** Metadata, version 1, of no topic; correlation id 1; client id "probe". */
const REQUEST = new Uint8Array([
  ...[0, 0, 0, 19],
  ...[0, 3, 0, 1, 0, 0, 0, 1],
  ...[0, 5, ...new TextEncoder().encode("probe")],
  ...[0, 0, 0, 0],
]);

/** Errors of a broker that does not run, or ends. */
const AWAY = ["ECONNREFUSED", "ECONNRESET", "EPIPE"];

/** How many brokers of the cluster this one knows; 0 if it does not answer within `timeoutMs`. */
export function brokersSeenFrom(port: number, timeoutMs = 2_000): Promise<number> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: "127.0.0.1", port, timeout: timeoutMs });
    let answer = new Uint8Array();
    socket.on("timeout", () => socket.destroy());
    socket.on("close", () => resolve(0));
    socket.on("error", (error: Error & { code?: string }) => {
      if (!AWAY.includes(error.code ?? "")) reject(error);
    });
    socket.on("data", (bytes: Uint8Array) => {
      answer = Uint8Array.of(...answer, ...bytes);
      if (answer.length < 12) return;
      // Size, correlation id, then the length of the list of brokers.
      resolve(new DataView(answer.buffer).getInt32(8));
      socket.destroy();
    });
    socket.write(REQUEST);
  });
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
