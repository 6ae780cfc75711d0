/**
 * Bytes to and from a broker, plain.
 *
 * Connections are Deno's own: what is read lands where it is wanted, without a buffer for each
 * 64 KiB on the way.
 *
 * @module
 */
/** Where bytes go out and come in. */
export interface Transport {
  /** Reads into `into`; how many bytes came, null when the other side has ended. */
  read(into: Uint8Array): Promise<number | null>;
  /** Writes all of it. */
  write(bytes: Uint8Array): Promise<void>;
  /** Ends it at once; what reads or writes fails. */
  close(): void;
}

/** Connects without TLS. */
export async function dialPlain(
  hostname: string,
  port: number,
  signal: AbortSignal,
): Promise<Transport> {
  const connection = await Deno.connect({ hostname, port, signal });
  connection.setNoDelay(true);
  return new PlainTransport(connection);
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
