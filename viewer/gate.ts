// Stands before the server on addresses that others can reach. An HTTP server waits for as long as
// it takes, so a client that opens connections and sends little, or never reads, would use up this
// machine's sockets without ever showing a token. The gate lets a connection through when a whole
// request has come, and ends it when one side keeps the other waiting.
import type { Clock } from "../runtime/base/clock.ts";

/** Where the gate stands, and what it bears with. */
export interface GateOptions {
  readonly hostname: string;
  readonly port: number;
  /** Port of the server behind it, on this machine. */
  readonly target: number;
  readonly clock: Clock;
  /** A request must be answered within this from its first byte, however slowly it comes. Default 15 000. */
  readonly requestMs?: number;
  /** A client must take what it is sent within this. Default 60 000. */
  readonly stallMs?: number;
  /** Most connections at a time, and of one address. Default 1024 and 128. */
  readonly most?: number;
  readonly mostOfOne?: number;
}

/** A silent connection ends after this time, milliseconds. */
const IDLE_MS = 300_000;
/** Longest head of a request, in bytes. */
const MAX_HEAD_BYTES = 64 * 1024;
const TO_SERVER_BYTES = 4 * 1024;
const TO_CLIENT_BYTES = 32 * 1024;
const CHECK_MS = 1_000;
const ACCEPT_RETRY_MS = 100;

interface Passage {
  readonly client: Deno.TcpConn;
  readonly address: string;
  server: Deno.TcpConn | undefined;
  /** When the client began to say what is not answered yet. */
  askedAt: number | undefined;
  /** When the write to the client began that is not done yet. */
  writingSince: number | undefined;
  lastByte: number;
}

/** A gate at work. */
export class Gate {
  readonly #listener: Deno.TcpListener;
  readonly #options: Required<GateOptions>;
  readonly #passages = new Set<Passage>();
  readonly #tasks = new Set<Promise<void>>();
  readonly #stop = new AbortController();

  /** @throws {Deno.errors.AddrInUse} when the port is taken. */
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

  /** Connections that are open now. */
  get open(): number {
    return this.#passages.size;
  }

  /** Ends all connections, then the gate. */
  async close(): Promise<void> {
    this.#stop.abort(new Error("The gate is closed"));
    this.#listener.close();
    for (const passage of this.#passages) end(passage);
    await Promise.all(this.#tasks);
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
        // Out of sockets, or the client was gone already: neither is the end of the gate.
        await clock.sleep(ACCEPT_RETRY_MS, signal).catch(() => {});
        continue;
      }
      const address = client.remoteAddr.hostname;
      let ofOne = 0;
      for (const passage of this.#passages) if (passage.address === address) ofOne++;
      if (this.#passages.size >= this.#options.most || ofOne >= this.#options.mostOfOne) {
        client.close();
        continue;
      }
      const now = clock.monotonic();
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
    const { client } = passage;
    try {
      const head = await readHead(client);
      if (head === undefined) return;
      const server = passage.server = await Deno.connect({
        hostname: "127.0.0.1",
        port: this.#options.target,
      });
      client.setNoDelay(true);
      server.setNoDelay(true);
      await writeAll(server, head);
      await Promise.all([this.#toServer(passage, server), this.#toClient(passage, server)]);
    } catch {
      // Either side has gone: so goes the other.
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
      passage.lastByte = this.#options.clock.monotonic();
      passage.askedAt ??= passage.lastByte;
      await writeAll(server, buffer.subarray(0, length));
    }
    await server.closeWrite();
  }

  async #toClient(passage: Passage, server: Deno.TcpConn): Promise<void> {
    const { clock } = this.#options;
    const buffer = new Uint8Array(TO_CLIENT_BYTES);
    while (true) {
      const length = await server.read(buffer);
      if (length === null) break;
      passage.askedAt = undefined;
      passage.writingSince = passage.lastByte = clock.monotonic();
      await writeAll(passage.client, buffer.subarray(0, length));
      passage.writingSince = undefined;
    }
    end(passage);
  }

  /** Ends connections on which one side waits for too long. One timer does for all. */
  async #watch(): Promise<void> {
    const { clock, requestMs, stallMs } = this.#options;
    const { signal } = this.#stop;
    while (!signal.aborted) {
      try {
        await clock.sleep(CHECK_MS, signal);
      } catch {
        return; // closed while it slept
      }
      const now = clock.monotonic();
      const since = (moment: number | undefined) => moment === undefined ? 0 : now - moment;
      for (const passage of this.#passages) {
        const late = since(passage.askedAt) > requestMs ||
          since(passage.writingSince) > stallMs || since(passage.lastByte) > IDLE_MS;
        if (late) end(passage);
      }
    }
  }
}

/** All bytes up to the end of a request's head, and what came with them; undefined for no head. */
async function readHead(client: Deno.TcpConn): Promise<Uint8Array | undefined> {
  let head = new Uint8Array(0);
  const buffer = new Uint8Array(TO_SERVER_BYTES);
  while (head.length < MAX_HEAD_BYTES) {
    const length = await client.read(buffer);
    if (length === null) return undefined;
    const joined = new Uint8Array(head.length + length);
    joined.set(head);
    joined.set(buffer.subarray(0, length), head.length);
    const from = Math.max(0, head.length - 3);
    head = joined;
    if (hasEnd(head, from)) return head;
  }
  return undefined;
}

/** True when an empty line stands at or after `from`. */
function hasEnd(bytes: Uint8Array, from: number): boolean {
  for (let at = from; at + 3 < bytes.length; at++) {
    if (
      bytes[at] === 13 && bytes[at + 1] === 10 && bytes[at + 2] === 13 && bytes[at + 3] === 10
    ) return true;
  }
  return false;
}

async function writeAll(connection: Deno.TcpConn, bytes: Uint8Array): Promise<void> {
  for (let sent = 0; sent < bytes.length;) sent += await connection.write(bytes.subarray(sent));
}

/** Ends both sides at once; what waits for either wakes up with an error. */
function end({ client, server }: Passage): void {
  for (const connection of [client, server]) {
    try {
      connection?.close();
    } catch (error) {
      if (!(error instanceof Deno.errors.BadResource)) throw error; // closed before: that was it
    }
  }
}
