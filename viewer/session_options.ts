/**
 * What a page's session is given.
 *
 * @module
 */
import type { Visitor } from "./access.ts";
import type { AlertBook } from "./alerts.ts";
import type { History } from "./history.ts";
import type { Hub } from "./hub.ts";
import type { Features } from "./protocol.ts";

/** The part of a WebSocket that a session uses. */
export interface PageSocket {
  readonly bufferedAmount: number;
  send(data: string | ArrayBufferView<ArrayBuffer>): void;
  close(code?: number, reason?: string): void;
}

/** A session's surroundings. */
export interface SessionOptions {
  readonly hub: Hub;
  readonly socket: PageSocket;
  readonly visitor: Visitor;
  readonly features: Features;
  readonly alerts: AlertBook;
  readonly history?: History | undefined;
}
