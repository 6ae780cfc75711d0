// Connections to cameras: plain, or TLS with a configurable certificate check.
import { connect as connectPlainly } from "node:net";
import { connect as connectSecurely } from "node:tls";
import { getSystemErrorMessage } from "node:util";
import { messageOf } from "../../runtime/base/errors.ts";
import { readGiven } from "../../runtime/base/given_file.ts";
import { maskSecrets } from "../../runtime/base/mask.ts";
import { given } from "../../runtime/base/options.ts";
import { settled } from "../../runtime/base/wait.ts";
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
  /** Received data; ends when the peer closes the connection, throws if it breaks. */
  readonly chunks: AsyncIterable<Uint8Array>;
  /** The peer's address. */
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
export async function connect(
  { hostname, port, secure, tlsCa, tlsInsecure = false }: Peer,
  signal: AbortSignal,
): Promise<Connection> {
  signal.throwIfAborted();
  const place = { host: hostname.replace(/^\[|\]$/g, ""), port };
  const ca = tlsCa === undefined ? {} : { ca: [readCertificates(tlsCa)] };
  signal.throwIfAborted();
  // Deno's own TLS accepts no self-signed certificate, not even a trusted one.
  const socket = secure
    ? connectSecurely({ ...place, ...ca, rejectUnauthorized: !tlsInsecure })
    : connectPlainly(place);
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  socket.once(secure ? "secureConnect" : "connect", resolve);
  // Stays: an error may come between two reads.
  socket.on("error", reject);
  try {
    await settled(promise, signal);
  } catch (error) {
    socket.destroy();
    if (signal.aborted) throw signal.reason;
    throw new SourceError("UNREACHABLE", describeCause(error), { cause: error });
  }
  const close = () => {
    signal.removeEventListener("abort", close);
    socket.destroy();
  };
  signal.addEventListener("abort", close, { once: true });
  return {
    chunks: socket,
    ...given({ address: socket.remoteAddress }),
    write: (bytes) =>
      new Promise((done, fail) => {
        socket.write(bytes, (error) => error ? fail(error) : done());
      }),
    close,
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
    .replace("unknown node or service", "there is no such host");
  return `${text.charAt(0).toLowerCase()}${text.slice(1)}${
    /certificate|self.signed/i.test(text)
      ? " (--tls-ca FILE trusts the certificates in a file, --tls-insecure any)"
      : ""
  }`;
}
