/**
 * Bytes to and from a broker, plain or over TLS.
 *
 * Plain connections are Deno's own: what is read lands where it is wanted, without a buffer for each
 * 64 KiB on the way. TLS goes through `node:tls`, which takes a client's certificate and the name that
 * the broker's must carry.
 *
 * @module
 */
import { lookup } from "node:dns/promises";
import { isIP } from "node:net";
import { connect as connectTls, type TLSSocket } from "node:tls";
import type { Broker, Tls } from "./address.ts";
import { NetworkError } from "./client.ts";

/** A way for bytes. */
export interface Transport {
  /** Reads into `into`; how many bytes came, null when the other side has ended. */
  read(into: Uint8Array): Promise<number | null>;
  /** Writes all of it. */
  write(bytes: Uint8Array): Promise<void>;
  /** Ends it at once; what reads or writes fails. */
  close(): void;
}

/**
 * Connects to a broker.
 *
 * @throws errors of the system or of TLS, or the signal's reason.
 */
export async function dial(
  broker: Broker,
  tls: Tls | undefined,
  signal: AbortSignal,
): Promise<Transport> {
  return tls === undefined
    ? new PlainTransport(await dialPlain(broker, signal))
    : new TlsTransport(await dialTls(broker, tls, signal));
}

/** A name may stand for several addresses, of which the broker listens on one. */
async function dialPlain({ host, port }: Broker, signal: AbortSignal): Promise<Deno.TcpConn> {
  const addresses = isIP(host) === 0
    ? (await unlessAborted(lookup(host, { all: true }), signal)).map(({ address }) => address)
    : [host];
  let problem: unknown;
  for (const hostname of addresses) {
    const dialling = Deno.connect({ hostname, port });
    try {
      const connection = await unlessAborted(dialling, signal);
      connection.setNoDelay(true);
      return connection;
    } catch (error) {
      if (signal.aborted) {
        // It may still come: nobody else would close it.
        dialling.then((late) => late.close(), () => {});
        throw error;
      }
      problem ??= error;
    }
  }
  throw problem;
}

function dialTls({ host, port }: Broker, tls: Tls, signal: AbortSignal): Promise<TLSSocket> {
  const { ca, cert, key } = tls;
  // An address is checked against the certificate without being announced as a name.
  const servername = tls.serverName ?? (isIP(host) === 0 ? host : undefined);
  const { promise, resolve, reject } = Promise.withResolvers<TLSSocket>();
  const socket = connectTls({
    host,
    port,
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
    ...(servername === undefined ? {} : { servername }),
  });
  socket.setNoDelay(true);
  const abort = () => {
    socket.destroy();
    reject(signal.reason);
  };
  if (signal.aborted) abort();
  signal.addEventListener("abort", abort, { once: true });
  socket.once("secureConnect", () => resolve(socket));
  socket.once("error", (error: NodeJS.ErrnoException) => {
    socket.destroy();
    const early = error.code === "ECONNRESET" &&
      error.message.includes("secure TLS connection was established");
    reject(early ? new NetworkError("TLS handshake failed", { cause: error }) : error);
  });
  return promise.finally(() => signal.removeEventListener("abort", abort));
}

function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason);
    if (signal.aborted) abort();
    signal.addEventListener("abort", abort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", abort));
  });
}

class PlainTransport implements Transport {
  readonly #connection: Deno.TcpConn;
  #closed = false;

  constructor(connection: Deno.TcpConn) {
    this.#connection = connection;
  }

  read(into: Uint8Array): Promise<number | null> {
    return this.#connection.read(into);
  }

  async write(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length;) at += await this.#connection.write(bytes.subarray(at));
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#connection.close();
  }
}

class TlsTransport implements Transport {
  readonly #socket: TLSSocket;
  readonly #chunks: AsyncIterator<Uint8Array>;
  #chunk: Uint8Array = new Uint8Array(0);

  constructor(socket: TLSSocket) {
    this.#socket = socket;
    this.#chunks = socket[Symbol.asyncIterator]() as AsyncIterator<Uint8Array>;
    // Whoever reads hears of it; a socket that nobody listens to would end the process.
    socket.on("error", () => {});
  }

  async read(into: Uint8Array): Promise<number | null> {
    while (this.#chunk.length === 0) {
      const { value, done } = await this.#chunks.next();
      if (done === true) return null;
      this.#chunk = value;
    }
    const length = Math.min(into.length, this.#chunk.length);
    into.set(this.#chunk.subarray(0, length));
    this.#chunk = this.#chunk.subarray(length);
    return length;
  }

  write(bytes: Uint8Array): Promise<void> {
    return new Promise((resolve, reject) =>
      this.#socket.write(bytes, (error) => error instanceof Error ? reject(error) : resolve())
    );
  }

  close(): void {
    this.#socket.destroy();
  }
}
