// Connections to cameras: plain, or TLS with a configurable certificate check.
import { messageOf } from "../../runtime/base/errors.ts";
import { readGiven } from "../../runtime/base/given_file.ts";
import { connect as connectTls } from "node:tls";
import { getSystemErrorMessage } from "node:util";
import { writeAll } from "../../runtime/base/bytes.ts";
import { maskSecrets } from "../../runtime/base/mask.ts";
import { SourceError } from "../source.ts";

/** How a camera's certificate is checked; by default against the well-known authorities. */
export interface TlsSettings {
  /** PEM file of the only certificates to trust. */
  readonly tlsCa?: string;
  /** Accepts any certificate. */
  readonly tlsInsecure?: boolean;
}

export interface Peer extends TlsSettings {
  readonly hostname: string;
  readonly port: number;
  readonly secure: boolean;
}

export interface Connection {
  /**
   * Received data, each piece valid until the next one; ends when the peer closes the connection,
   * throws if it breaks.
   */
  readonly chunks: AsyncIterable<Uint8Array>;
  /** The peer's address; absent with TLS. */
  readonly address?: string;
  write(bytes: Uint8Array): Promise<void>;
  /** Never throws, may be called several times. */
  close(): void;
}

/**
 * Connects. The signal also closes the connection later.
 *
 * @throws {SourceError} `UNREACHABLE` with the cause, `INVALID` if the certificates cannot be read.
 * @throws the signal's reason if it aborts.
 */
export async function connect(peer: Peer, signal: AbortSignal): Promise<Connection> {
  signal.throwIfAborted();
  try {
    const connection = await (peer.secure ? connectSecurely : connectPlainly)(peer, signal);
    const close = () => connection.close();
    if (signal.aborted) close();
    signal.addEventListener("abort", close, { once: true });
    return {
      ...connection,
      close() {
        signal.removeEventListener("abort", close);
        connection.close();
      },
    };
  } catch (error) {
    if (signal.aborted) throw signal.reason;
    if (error instanceof SourceError) throw error;
    throw new SourceError("UNREACHABLE", describeCause(error), { cause: error });
  }
}

async function connectPlainly({ hostname, port }: Peer, signal: AbortSignal): Promise<Connection> {
  const socket = await Deno.connect({ hostname: hostname.replace(/^\[|\]$/g, ""), port, signal });
  let closed = false;
  return {
    chunks: read(socket, () => closed),
    address: socket.remoteAddr.hostname,
    write: (bytes) => writeAll(socket, bytes),
    close() {
      if (closed) return;
      closed = true;
      socket.close();
    },
  };
}

const READ_BYTES = 64 * 1024;

async function* read(socket: Deno.Conn, isClosed: () => boolean): AsyncGenerator<Uint8Array> {
  const buffer = new Uint8Array(READ_BYTES);
  try {
    for (;;) {
      const length = await socket.read(buffer);
      if (length === null) return;
      yield buffer.subarray(0, length);
    }
  } catch (error) {
    if (!isClosed()) throw error;
  }
}

/** With Node's TLS, which accepts a trusted self-signed certificate; Deno's does not. */
async function connectSecurely(
  { hostname, port, tlsCa, tlsInsecure = false }: Peer,
  signal: AbortSignal,
): Promise<Connection> {
  const ca = tlsCa === undefined ? {} : { ca: [readCertificates(tlsCa)] };
  signal.throwIfAborted();
  const host = hostname.replace(/^\[|\]$/g, "");
  const socket = connectTls({ host, port, ...ca, rejectUnauthorized: !tlsInsecure });
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const stop = () => reject(signal.reason);
  signal.addEventListener("abort", stop, { once: true });
  socket.once("secureConnect", resolve);
  // Stays: an error may come between two reads.
  socket.on("error", reject);
  try {
    await promise;
  } catch (error) {
    socket.destroy();
    throw error;
  } finally {
    signal.removeEventListener("abort", stop);
  }
  return {
    chunks: socket,
    write: (bytes) =>
      new Promise((done, fail) => {
        socket.write(bytes, (error) => error ? fail(error) : done());
      }),
    close: () => void socket.destroy(),
  };
}

function readCertificates(file: string): string {
  let why = "expected PEM, with -----BEGIN CERTIFICATE-----";
  try {
    const text = readGiven(file);
    if (text.includes("CERTIFICATE-----")) return text;
  } catch (error) {
    why = messageOf(error);
  }
  throw new SourceError("INVALID", `Cannot read the certificates in ${file}: ${why}`);
}

export function describeCause(error: unknown): string {
  const texts: string[] = [];
  // A host with several addresses fails once for each.
  for (const each of error instanceof AggregateError ? error.errors : [error]) {
    for (let at: unknown = each; at instanceof Error && texts.length < 3; at = at.cause) {
      const { message, errno } = at as NodeJS.ErrnoException;
      const text = errno === undefined ? message : getSystemErrorMessage(errno);
      if (!texts.some((known) => known.includes(text))) texts.push(text);
    }
  }
  const text = maskSecrets(texts.join(": ") || String(error))
    .replace(/ \(os error \d+\)$/, "")
    .replace(
      /unknown node or service|failed to lookup address information.*/i,
      "there is no such host",
    );
  return `${text.charAt(0).toLowerCase()}${text.slice(1)}${
    /certificate|self.signed/i.test(text)
      ? " (--tls-ca FILE trusts the certificates in a file, --tls-insecure any)"
      : ""
  }`;
}
