// TLS to a broker, through `node:tls`, which takes a client's certificate and the name that the
// broker's must carry.
import { connect, createSecureContext, type SecureContext, type TLSSocket } from "node:tls";
import { LoginError } from "../protocol/errors.ts";
import { type Broker, isAddress, type Tls } from "./address.ts";

/**
 * Where bytes go out and come in. Connections are Deno's own: what is read lands where it is wanted, without a
 * buffer for each 64 KiB on the way.
 */
export interface Transport {
  /** Reads into `into`; how many bytes came, null when the other side has ended. */
  read(into: Uint8Array): Promise<number | null>;
  /** Writes all of it. */
  write(bytes: Uint8Array): Promise<void>;
  /** Ends it at once; what reads or writes fails. */
  close(): void;
}

/**
 * Connects to a broker, at one of the addresses of its name, and shakes hands.
 *
 * @throws errors of the system or of TLS, or the signal's reason.
 */
export function dialTls(
  { host, port, address }: Broker & { readonly address: string },
  tls: Tls,
  signal: AbortSignal,
): Promise<Transport> {
  // An address is checked against the certificate without being announced as a name.
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

/** @throws {LoginError} when the files of the address cannot be used. */
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
    // The reader sees it; an error event without a listener would end the process.
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
