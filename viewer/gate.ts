// A gate in front of the server on addresses that others can reach. An HTTP server has no timeouts, so a
// client that opens connections and sends little, or never reads, could use up this machine's sockets without
// a token. The gate limits connections, and closes one if one side keeps the other waiting.
import { writeAll } from "../runtime/base/bytes.ts";
import type { Clock } from "../runtime/base/clock.ts";
import { pause } from "../runtime/base/wait.ts";

export interface GateOptions {
  readonly hostname: string;
  readonly port: number;
  /** Local port of the server behind it. */
  readonly target: number;
  readonly clock: Clock;
  /** Time to answer a request, from its first byte or the connection on. Default 15 000. */
  readonly requestMs?: number;
  /** Time for a client to accept sent data. Default 60 000. */
  readonly stallMs?: number;
  /** Maximum connections in total, and per address. Default 1024 and 128. */
  readonly most?: number;
  readonly mostOfOne?: number;
}

/** A silent connection is closed after this time, milliseconds. */
const IDLE_MS = 300_000;
const TO_SERVER_BYTES = 4 * 1024;
const TO_CLIENT_BYTES = 32 * 1024;
const CHECK_MS = 1_000;
const ACCEPT_RETRY_MS = 100;

interface Passage {
  readonly client: Deno.TcpConn;
  readonly address: string;
  server: Deno.TcpConn | undefined;
  /** Start of the pending request. */
  askedAt: number | undefined;
  /** Start of the pending write to the client. */
  writingSince: number | undefined;
  lastByte: number;
}

export class Gate {
  readonly #listener: Deno.TcpListener;
  readonly #options: Required<GateOptions>;
  readonly #passages = new Set<Passage>();
  readonly #tasks = new Set<Promise<void>>();
  readonly #stop = new AbortController();
  #stoodMs = 0;

  /** @throws {Deno.errors.AddrInUse} if the port is in use */
  constructor(options: GateOptions) {
    this.#options = {
      requestMs: 15_000,
      stallMs: 60_000,
      most: 1_024,
      mostOfOne: 128,
      ...options,
    };
    const { hostname, port } = options;
    this.#listener = Deno.listen({ hostname, port });
    this.#spawn(this.#accept());
    this.#spawn(this.#watch());
  }

  get port(): number {
    return this.#listener.addr.port;
  }

  get open(): number {
    return this.#passages.size;
  }

  async close(): Promise<void> {
    this.#stop.abort(new Error("The gate is closed"));
    this.#listener.close();
    for (const passage of this.#passages) end(passage);
    await Promise.all(this.#tasks);
  }

  /** The time of this process: moments in which it stands still, or gets no core, do not count. */
  #now(): number {
    return this.#options.clock.monotonic() - this.#stoodMs;
  }

  #spawn(task: Promise<void>): void {
    this.#tasks.add(task);
    void task.finally(() => this.#tasks.delete(task));
  }

  async #accept(): Promise<void> {
    const { clock } = this.#options;
    const { signal } = this.#stop;
    while (!signal.aborted) {
      let client: Deno.TcpConn;
      try {
        client = await this.#listener.accept();
      } catch (error) {
        if (signal.aborted || error instanceof Deno.errors.BadResource) return;
        // Out of sockets, or the client has already gone: keep accepting.
        await pause(ACCEPT_RETRY_MS, signal, clock);
        continue;
      }
      const address = client.remoteAddr.hostname;
      let ofOne = 0;
      for (const passage of this.#passages) if (passage.address === address) ofOne++;
      if (this.#passages.size >= this.#options.most || ofOne >= this.#options.mostOfOne) {
        client.close();
        continue;
      }
      const now = this.#now();
      const passage: Passage = {
        client,
        address,
        server: undefined,
        askedAt: now,
        writingSince: undefined,
        lastByte: now,
      };
      this.#passages.add(passage);
      this.#spawn(this.#pass(passage));
    }
  }

  async #pass(passage: Passage): Promise<void> {
    try {
      const server = passage.server = await Deno.connect({
        hostname: "127.0.0.1",
        port: this.#options.target,
      });
      passage.client.setNoDelay(true);
      server.setNoDelay(true);
      await Promise.all([this.#toServer(passage, server), this.#toClient(passage, server)]);
    } catch {
      // One side has closed: close the other.
    } finally {
      end(passage);
      this.#passages.delete(passage);
    }
  }

  async #toServer(passage: Passage, server: Deno.TcpConn): Promise<void> {
    const buffer = new Uint8Array(TO_SERVER_BYTES);
    while (true) {
      const length = await passage.client.read(buffer);
      if (length === null) break;
      passage.lastByte = this.#now();
      passage.askedAt ??= passage.lastByte;
      await writeAll(server, buffer.subarray(0, length));
    }
    await server.closeWrite();
  }

  async #toClient(passage: Passage, server: Deno.TcpConn): Promise<void> {
    const buffer = new Uint8Array(TO_CLIENT_BYTES);
    while (true) {
      const length = await server.read(buffer);
      if (length === null) break;
      passage.askedAt = undefined;
      passage.writingSince = passage.lastByte = this.#now();
      await writeAll(passage.client, buffer.subarray(0, length));
      passage.writingSince = undefined;
    }
    end(passage);
  }

  /** Closes connections on which one side waits for too long, with a single timer. */
  async #watch(): Promise<void> {
    const { clock, requestMs, stallMs } = this.#options;
    const { signal } = this.#stop;
    for (;;) {
      const begun = clock.monotonic();
      if (!await pause(CHECK_MS, signal, clock)) return;
      this.#stoodMs += Math.max(0, clock.monotonic() - begun - CHECK_MS);
      const now = this.#now();
      const since = (moment: number | undefined) => moment === undefined ? 0 : now - moment;
      for (const passage of this.#passages) {
        const late = since(passage.askedAt) > requestMs ||
          since(passage.writingSince) > stallMs || since(passage.lastByte) > IDLE_MS;
        if (late) end(passage);
      }
    }
  }
}

/** Closes both sides; pending operations fail. */
function end({ client, server }: Passage): void {
  for (const connection of [client, server]) {
    try {
      connection?.close();
    } catch (error) {
      if (!(error instanceof Deno.errors.BadResource)) throw error; // already closed
    }
  }
}
