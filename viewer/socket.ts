// `/ws`: the WebSocket of a page.
import type { Hono } from "hono";
import { busy, type Env, plain } from "./respond.ts";
import { Session } from "./session.ts";
import type { Surroundings } from "./surroundings.ts";

/** Seconds of silence before a ping; after the same time again, the page counts as gone. */
const IDLE_SECONDS = 30;

export function socketRoute(
  app: Hono<Env>,
  { hub, access, alerts, history, connections, signal }: Surroundings,
): void {
  app.get("/ws", (c) => {
    if (!access.originAllowed(c.req.raw)) return plain(c, 403, "This page is not the viewer's own");
    if (c.req.header("upgrade")?.toLowerCase() !== "websocket") {
      return plain(c, 426, "Expected a WebSocket", { upgrade: "websocket" });
    }
    const leave = connections.enter();
    if (leave === undefined) return busy(c);
    let upgrade: Deno.WebSocketUpgrade;
    try {
      upgrade = Deno.upgradeWebSocket(c.req.raw, { idleTimeout: IDLE_SECONDS });
    } catch (error) {
      leave();
      if (error instanceof TypeError) return plain(c, 400, "This is not a WebSocket handshake");
      throw error;
    }
    const { socket, response } = upgrade;
    const { visitor } = c.var;
    let session: Session | undefined;
    const stopped = () => socket.close(1001, "The viewer stops");
    const ended = () => {
      leave();
      session?.close();
      session = undefined;
      signal.removeEventListener("abort", stopped);
    };
    socket.onopen = () => {
      session = new Session({ hub, socket, visitor, alerts, history });
      signal.addEventListener("abort", stopped);
      if (signal.aborted) stopped();
    };
    socket.onmessage = ({ data }) => session?.receive(data);
    socket.onclose = ended;
    // After an error, `close` follows.
    socket.onerror = ended;
    return response;
  });
}
