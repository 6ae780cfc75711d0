// The viewer: an HTTP server for the wall, pictures and metrics.
import { type Clock, systemClock } from "../runtime/base/clock.ts";
import { withDeadline } from "../runtime/base/wait.ts";
import type { LaneFeed, LaneState } from "../runtime/lanes.ts";
import type { TopicLog } from "../runtime/log/log.ts";
import { isLoopback, listenError } from "../runtime/base/host.ts";
import { Access, type AccessOptions } from "./access.ts";
import { AlertBook } from "./alerts.ts";
import { createApp, type Readiness } from "./app.ts";
import { loadAssets } from "./assets.ts";
import { Gate, type GateOptions } from "./gate.ts";
import { History } from "./history.ts";
import { Hub } from "./hub.ts";
import { JoinedFeed } from "./joined_feed.ts";
import type { KnownCamera } from "./known_cameras.ts";
import { LogFeed } from "./log_feed.ts";

/** Longest wait of a readiness check for the log, milliseconds. */
const READY_MS = 2_000;

export interface ViewerOptions extends Partial<AccessOptions> {
  readonly feed: LaneFeed;
  /** The text of `/metrics`, in Prometheus' format. */
  readonly metrics: () => Promise<string>;
  /** The log that the lanes are read from: enables pause, steps and scrubbing. */
  readonly log?: TopicLog;
  /** Topics of the lanes: with a log, their unprocessed partitions can be viewed. */
  readonly topics: readonly string[];
  /** Reads the registered cameras; not needed if `feed` is a `LogFeed`, which has its own. */
  readonly cameras?: () => Promise<readonly KnownCamera[]>;
  /** Output topic of each query, by name, for looking back. */
  readonly outputTopics?: Readonly<Record<string, string>>;
  /** Address to bind to. Default 127.0.0.1. */
  readonly hostname?: string;
  /** Default 8000; 0 takes any free port. */
  readonly port?: number;
  /** Receives messages for the operator: requests that failed through the viewer's own fault. */
  readonly report?: (message: string) => void;
  readonly clock?: Clock;
}

export interface Viewer {
  /** The address for a browser, without a token. */
  readonly url: string;
  readonly port: number;
  /** Closes all streams and sockets, then the server. */
  stop(): Promise<void>;
}

/**
 * Starts the viewer.
 *
 * @throws {Error} if the address is reachable by others without protection, or the port is in use
 */
export async function startViewer(options: ViewerOptions): Promise<Viewer> {
  const { feed, metrics, hostname = "127.0.0.1", port = 8000, clock = systemClock } = options;
  if (!Number.isInteger(port) || port < 0 || port > 65_535) {
    throw new RangeError(`Cannot listen on port ${port}: expected a whole number from 0 to 65535`);
  }
  const { log, topics, outputTopics = {}, report = () => {} } = options;
  const access = new Access({ ...options, hostname });
  const raw = log === undefined || topics.length === 0 || feed instanceof LogFeed
    ? undefined
    : new LogFeed({
      log,
      topics: [...new Set([...topics, ...Object.values(outputTopics)])],
      clock,
      cameras: options.cameras,
      // Its numbers belong to raw partitions, which are rarely viewed.
      pollMs: 2_000,
    });
  const joined = raw === undefined
    ? feed
    : new JoinedFeed({ queries: feed, log: raw, outputTopics, topics, clock });
  const hub = new Hub(joined, clock);
  const history = log === undefined ? undefined : new History({ log, outputTopics });
  const alerts = new AlertBook({ feed, lanes: () => joined.lanes(), clock });
  const stopping = new AbortController();
  const handler = createApp({
    hub,
    queries: feed,
    access,
    assets: await loadAssets(),
    metrics,
    ready: () => readiness({ ...options, clock }),
    alerts,
    history,
    report,
    signal: stopping.signal,
  });
  let server: ReturnType<typeof listen> | undefined;
  const stop = async () => {
    stopping.abort(new Error("The viewer stops"));
    await alerts.close();
    hub.close();
    await server?.close();
    await raw?.close();
    await history?.close();
  };
  try {
    server = listen({
      hostname,
      port,
      handler,
      clock,
      // All clients of a proxy share its address.
      ...(options.proxyHosts === undefined ? {} : { mostOfOne: Infinity }),
    });
  } catch (error) {
    await stop().catch(() => {}); // The error is why it cannot listen.
    throw error;
  }
  // Only now: reading that has begun can only be stopped once the log answers.
  if (log !== undefined) alerts.follow(log, topics);
  return { url: `http://${urlHost(hostname)}:${server.port}/`, port: server.port, stop };
}

/** Whether frames flow: the log must answer, and each lane must have started. */
async function readiness(
  { feed, log, topics = [], clock = systemClock }: Partial<ViewerOptions> & { feed: LaneFeed },
): Promise<Readiness> {
  try {
    await withDeadline(
      "Asking for the topics",
      READY_MS,
      async () => void await Promise.all(topics.map((topic) => log?.partitionCount(topic))),
      { clock },
    );
  } catch {
    return { ready: false, text: "The log is unreachable" };
  }
  if (feed instanceof LogFeed) return { ready: true, text: "ready" };
  const states = feed.lanes().map(({ state }) => state);
  if (states.length === 0) return { ready: false, text: "No query has a partition here" };
  const count = (wanted: LaneState) => states.filter((state) => state === wanted).length;
  const waiting = count("starting");
  const all = `of ${states.length} queries`;
  if (waiting > 0) return { ready: false, text: `${waiting} ${all} have not begun` };
  // A failed or restarting query has its partition: the wall must stay reachable to show it.
  const failed = count("failed");
  return { ready: true, text: failed === 0 ? "ready" : `ready; ${failed} ${all} have failed` };
}

type Handler = (request: Request) => Response | Promise<Response>;

/** Listens on loopback; on any other address, a gate listens and forwards to loopback. */
function listen(
  { handler, ...options }: Omit<GateOptions, "target"> & { handler: Handler },
): { port: number; close: () => Promise<void> } {
  const { hostname, port } = options;
  try {
    if (isLoopback(hostname)) {
      const server = Deno.serve({ hostname, port, onListen: () => {} }, handler);
      return { port: server.addr.port, close: () => server.shutdown() };
    }
    const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, handler);
    try {
      const gate = new Gate({ ...options, target: server.addr.port });
      return {
        port: gate.port,
        async close() {
          await gate.close();
          await server.shutdown();
        },
      };
    } catch (error) {
      void server.shutdown();
      throw error;
    }
  } catch (error) {
    throw listenError(error, `${hostname}:${port}`);
  }
}

function urlHost(hostname: string): string {
  if (hostname === "0.0.0.0" || hostname === "::") return "127.0.0.1";
  return /^[^[].*:/.test(hostname) ? `[${hostname}]` : hostname;
}
