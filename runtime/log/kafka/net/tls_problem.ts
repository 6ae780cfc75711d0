// Why a TLS handshake failed. `node:tls` says only that a certificate was rejected, so a second
// handshake through Deno's own API finds the reason.
import type { Broker, Tls } from "./address.ts";
import { sentence } from "./failures.ts";

const REASONS: readonly (readonly [sign: RegExp, reason: string])[] = [
  [/expired/i, "it has expired"],
  [/not valid yet|NotValidYet/i, "it is not valid yet"],
  [/UnknownIssuer/, "its issuer is not trusted: name its CA with ca=FILE"],
  [/not valid for name|NotValidForName/i, "it is for another host"],
  [/CaUsedAsEndEntity/, "it is that of a CA"],
];
/** Faults of the client's own key or certificate, or alerts about them. */
const CLIENT_FAULT =
  /key values mismatch|KeyMismatch|private key|decryption failed|alert.*(bad|unknown|certificate|access denied|handshake)|(CertificateRequired|AccessDenied|BadCertificate|UnknownCA)/i;

/** The reason as the end of a sentence; undefined if TLS is not the cause. */
export async function tlsProblem(
  error: unknown,
  broker: Broker,
  tls: Tls | undefined,
  timeoutMs: number,
): Promise<string | undefined> {
  if (tls === undefined) return undefined;
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
    const text = (error as Error).message;
    return REASONS.find(([sign]) => sign.test(text))?.[1] ??
      /invalid peer certificate: ([^:(]+)/.exec(text)?.[1]?.trim();
  } finally {
    late.removeEventListener("abort", stop);
    if (!late.aborted) encrypted?.close();
  }
}
