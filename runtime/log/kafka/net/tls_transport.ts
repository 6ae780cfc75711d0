// TLS connections through `node:tls`, which takes a client certificate and an expected server name.
import { connect, createSecureContext, type SecureContext, type TLSSocket } from "node:tls";
import { LoginError } from "../protocol/errors.ts";
import { type Broker, isAddress, type Tls } from "./address.ts";

/** A byte stream that reads into the caller's buffer, without copies. */
export interface Transport {
  /** Returns the number of bytes read, null at the end. */
  read(into: Uint8Array): Promise<number | null>;
  /** Writes all bytes. */
  write(bytes: Uint8Array): Promise<void>;
  /** Closes at once; pending reads and writes fail. */
  close(): void;
}

/** @throws errors of the system or of TLS, or the signal's reason */
export function dialTls(
  { host, port, address }: Broker & { readonly address: string },
  tls: Tls,
  signal: AbortSignal,
): Promise<Transport> {
  // IP addresses are not sent as server name.
  const servername = tls.serverName ?? (isAddress(host) ? undefined : host);
  const { promise, resolve, reject } = Promise.withResolvers<Transport>();
  const socket = connect({
    host: address,
    port,
    secureContext: contextOf(tls),
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
    reject(early ? new LoginError("the broker does not speak TLS on this port") : error);
  });
  return promise.finally(() => signal.removeEventListener("abort", abort));
}

function contextOf({ ca, cert, key }: Tls): SecureContext {
  try {
    return createSecureContext({
      ...(ca === undefined ? {} : { ca }),
      ...(cert === undefined ? {} : { cert }),
      ...(key === undefined ? {} : { key }),
    });
  } catch (error) {
    throw new LoginError(`ca, cert or key cannot be used: ${(error as Error).message}`);
  }
}

class TlsTransport implements Transport {
  readonly #socket: TLSSocket;
  readonly #chunks: AsyncIterator<Uint8Array>;
  #chunk: Uint8Array = new Uint8Array(0);

  constructor(socket: TLSSocket) {
    this.#socket = socket;
    this.#chunks = socket[Symbol.asyncIterator]() as AsyncIterator<Uint8Array>;
    // The read fails too; without a listener the event would end the process.
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
