// Why a TLS handshake failed, for people. The handshake of `node:tls` says no more of a certificate
// than that it was refused; one by Deno itself says what is wrong with it.
import type { Broker, Tls } from "./address.ts";
import { sentence } from "./failures.ts";

const REASONS: readonly (readonly [sign: RegExp, reason: string])[] = [
  [/expired/i, "it has expired"],
  [/not valid yet|NotValidYet/i, "it is not valid yet"],
  [/UnknownIssuer/, "its issuer is not trusted: name its CA with ca=FILE"],
  [/not valid for name|NotValidForName/i, "it is for another host"],
  [/CaUsedAsEndEntity/, "it is that of a CA"],
];
/** What TLS calls faults of our own key and certificate, and alerts of a broker that does not accept them. */
const OURS =
  /key values mismatch|KeyMismatch|private key|decryption failed|alert.*(bad|unknown|certificate|access denied|handshake)|(CertificateRequired|AccessDenied|BadCertificate|UnknownCA)/i;

/**
 * The reason, as the end of a sentence; undefined when TLS is not to blame.
 *
 * @param error what connecting failed with.
 */
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
  if (OURS.test(text)) {
    return `it does not accept the client's certificate and key: ${sentence(text)}`;
  }
  if (!/certificate|altnames/i.test(text)) return undefined;
  const reason = await refusal(broker, tls, timeoutMs);
  return `its TLS certificate is not accepted: ${reason ?? sentence(text)}`;
}

function textOf(error: unknown): string {
  const texts: string[] = [];
  for (let one = error; one instanceof Error; one = one.cause) texts.push(one.message);
  return texts.join(": ");
}

async function refusal(
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
