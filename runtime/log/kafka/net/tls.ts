// TLS connections through `node:tls`, which takes a client certificate and an expected server name.
import { messageOf } from "../../../base/errors.ts";
import { connect, createSecureContext, type SecureContext, type TLSSocket } from "node:tls";
import { LoginError, NetworkError } from "../protocol/errors.ts";
import { type Broker, isAddress, type Tls } from "./address.ts";
import { sentence } from "./failures.ts";

/** A byte stream that reads into the caller's buffer, without copies. */
export interface Transport {
  /** Returns the number of bytes read, null at the end. */
  read(into: Uint8Array): Promise<number | null>;
  /** Returns the number of bytes written, at least one. */
  write(bytes: Uint8Array): Promise<number>;
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
    servername,
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
    // A broker that is stopping does this too.
    const reason =
      "it closed the connection in the TLS handshake: perhaps this port is without TLS";
    reject(early ? new NetworkError(reason) : error);
  });
  return promise.finally(() => signal.removeEventListener("abort", abort));
}

function contextOf({ ca, cert, key }: Tls): SecureContext {
  try {
    return createSecureContext({ ca, cert, key });
  } catch (error) {
    throw new LoginError(`ca, cert or key cannot be used: ${messageOf(error)}`);
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

  write(bytes: Uint8Array): Promise<number> {
    return new Promise((resolve, reject) => {
      const written = (error: unknown) =>
        error instanceof Error ? reject(error) : resolve(bytes.length);
      this.#socket.write(bytes, written);
    });
  }

  close(): void {
    this.#socket.destroy();
  }
}

const REASONS: readonly (readonly [sign: RegExp, reason: string])[] = [
  [/expired/i, "it has expired"],
  [/not valid yet|NotValidYet/i, "it is not valid yet"],
  [/UnknownIssuer/, "its issuer is not trusted: name its CA with ca=FILE"],
  [/not valid for name|NotValidForName/i, "it is for another host"],
  [/CaUsedAsEndEntity/, "it is a CA's, not a server's"],
];
/** Faults of the client's own key or certificate, or alerts about them. */
const CLIENT_FAULT =
  /key values mismatch|KeyMismatch|private key|decryption failed|alert.*(bad|unknown|certificate|access denied|handshake)|(CertificateRequired|AccessDenied|BadCertificate|UnknownCA)/i;

/** Why connecting failed, as the end of a sentence; undefined if TLS is not the cause. */
export async function tlsProblem(
  error: unknown,
  broker: Broker,
  tls: Tls,
  timeoutMs: number,
): Promise<string | undefined> {
  const text = textOf(error);
  if (/TLS handshake failed|corrupt message|InvalidContentType|wrong version number/i.test(text)) {
    return "the broker does not speak TLS on this port";
  }
  if (CLIENT_FAULT.test(text)) {
    return `it rejects the client's certificate and key: ${sentence(text)}`;
  }
  if (!/certificate|altnames/i.test(text)) return undefined;
  const reason = await certificateFault(broker, tls, timeoutMs);
  return `its TLS certificate is not accepted: ${reason ?? sentence(text)}`;
}

function textOf(error: unknown): string {
  const texts: string[] = [];
  for (let one = error; one instanceof Error; one = one.cause) texts.push(one.message);
  return texts.join(": ");
}

/** `node:tls` says only that a certificate was rejected; a handshake through Deno's own API finds the reason. */
async function certificateFault(
  { host, port }: Broker,
  { ca, serverName }: Tls,
  timeoutMs: number,
): Promise<string | undefined> {
  const late = AbortSignal.timeout(timeoutMs);
  let encrypted: Deno.TlsConn | undefined;
  const stop = () => encrypted?.close();
  try {
    const plain = await Deno.connect({ hostname: host, port, signal: late });
    encrypted = await Deno.startTls(plain, {
      hostname: serverName ?? host,
      ...(ca === undefined ? {} : { caCerts: [ca] }),
    });
    late.addEventListener("abort", stop, { once: true });
    await encrypted.handshake();
    return undefined;
  } catch (error) {
    const text = messageOf(error);
    return REASONS.find(([sign]) => sign.test(text))?.[1] ??
      /invalid peer certificate: ([^:(]+)/.exec(text)?.[1]?.trim();
  } finally {
    late.removeEventListener("abort", stop);
    if (!late.aborted) encrypted?.close();
  }
}
