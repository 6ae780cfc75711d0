/**
 * Bytes to and from a broker, plain or over TLS.
 *
 * Plain connections are Deno's own: what is read lands where it is wanted, without a buffer for each
 * 64 KiB on the way.
 *
 * @module
 */
import type { Broker, Tls } from "./address.ts";

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
  if (tls === undefined) return new PlainTransport(await dialPlain(broker, signal));
  // What few need is loaded when it is needed: each executor loads for itself.
  const { dialTls } = await import("./tls_transport.ts");
  return await dialTls(broker, tls, signal);
}

/** A name may stand for several addresses, of which the broker listens on one. */
async function dialPlain({ host, port }: Broker, signal: AbortSignal): Promise<Deno.TcpConn> {
  const addresses = isAddress(host) ? [host] : await unlessAborted(addressesOf(host), signal);
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

/** Whether a host is named by its address. */
export function isAddress(host: string): boolean {
  return /^[\d.]+$/.test(host) || host.includes(":");
}

async function addressesOf(host: string): Promise<string[]> {
  const { lookup } = await import("node:dns/promises");
  return (await lookup(host, { all: true })).map(({ address }) => address);
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
