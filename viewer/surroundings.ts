// What the viewer's routes and sessions work with.
import type { Access, Visitor } from "./access.ts";
import type { AlertBook } from "./alerts.ts";
import type { ClipProvider } from "./clips.ts";
import type { Connections } from "./connections.ts";
import type { History } from "./history.ts";
import type { Hub } from "./hub.ts";
import type { Features } from "./protocol.ts";

/** What all routes serve from. */
export interface Surroundings {
  readonly hub: Hub;
  readonly access: Access;
  readonly alerts: AlertBook;
  /** Absent when there is no log to look back into. */
  readonly history?: History | undefined;
  readonly clips?: ClipProvider | undefined;
  readonly features: Features;
  /** Streams and sockets that are open. */
  readonly connections: Connections;
  /** Aborts when the viewer stops: ends streams and sockets. */
  readonly signal: AbortSignal;
}

/** The part of a WebSocket that a session uses. */
export interface PageSocket {
  readonly bufferedAmount: number;
  send(data: string | ArrayBufferView<ArrayBuffer>): void;
  close(code?: number, reason?: string): void;
}

/** What a page's session is given. */
export interface SessionOptions
  extends Pick<Surroundings, "hub" | "alerts" | "history" | "features"> {
  readonly socket: PageSocket;
  readonly visitor: Visitor;
}
