/**
 * TLS to a broker, through `node:tls`, which takes a client's certificate and the name that the
 * broker's must carry.
 *
 * @module
 */
import { connect, type TLSSocket } from "node:tls";
import type { Broker, Tls } from "./address.ts";
import { NetworkError } from "./client.ts";
import { isAddress, type Transport } from "./transport.ts";

/**
 * Connects and shakes hands.
 *
 * @throws errors of the system or of TLS, or the signal's reason.
 */
export function dialTls({ host, port }: Broker, tls: Tls, signal: AbortSignal): Promise<Transport> {
  const { ca, cert, key } = tls;
  // An address is checked against the certificate without being announced as a name.
  const servername = tls.serverName ?? (isAddress(host) ? undefined : host);
  const { promise, resolve, reject } = Promise.withResolvers<Transport>();
  const socket = connect({
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
  socket.once("secureConnect", () => resolve(new TlsTransport(socket)));
  socket.once("error", (error: NodeJS.ErrnoException) => {
    socket.destroy();
    const early = error.code === "ECONNRESET" &&
      error.message.includes("secure TLS connection was established");
    reject(early ? new NetworkError("TLS handshake failed", { cause: error }) : error);
  });
  return promise.finally(() => signal.removeEventListener("abort", abort));
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
