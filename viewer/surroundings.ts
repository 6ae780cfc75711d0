// Dependencies of the viewer's routes and sessions.
import type { LaneFeed } from "../runtime/lanes.ts";
import type { Access, Visitor } from "./access.ts";
import type { AlertBook } from "./alerts.ts";
import type { Connections } from "./connections.ts";
import type { History } from "./history.ts";
import type { Hub } from "./hub.ts";

export interface Surroundings {
  readonly hub: Hub;
  /** Reports of the queries of this process. */
  readonly queries: Pick<LaneFeed, "progress" | "history">;
  readonly access: Access;
  readonly alerts: AlertBook;
  /** Absent if there is no log to look back into. */
  readonly history?: History | undefined;
  /** Receives messages for the operator. */
  readonly report: (message: string) => void;
  /** Open streams and sockets. */
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

export interface SessionOptions extends Pick<Surroundings, "hub" | "alerts" | "history"> {
  readonly socket: PageSocket;
  readonly visitor: Visitor;
}
