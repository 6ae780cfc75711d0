/**
 * Why a broker's certificate was not accepted. The Kafka client learns no more than that it was not;
 * a handshake by Deno itself says what is wrong with it.
 *
 * @module
 */
import type { Broker, Tls } from "./address.ts";

const REASONS: readonly (readonly [sign: RegExp, reason: string])[] = [
  [/expired/i, "it has expired"],
  [/not valid yet|NotValidYet/i, "it is not valid yet"],
  [/UnknownIssuer/, "its issuer is not trusted: name its CA with ca=FILE"],
  [/not valid for name|NotValidForName/i, "it is for another host"],
  [/CaUsedAsEndEntity/, "it is that of a CA"],
];

/** The reason, for people; undefined when this handshake succeeds or fails for another reason. */
export async function tlsRefusal(
  { host, port }: Broker,
  { ca, serverName }: Tls,
  timeoutMs: number,
): Promise<string | undefined> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let encrypted: Deno.TlsConn | undefined;
  try {
    const plain = await Deno.connect({ hostname: host, port });
    encrypted = await Deno.startTls(plain, {
      hostname: serverName ?? host,
      ...(ca === undefined ? {} : { caCerts: [ca] }),
    });
    const handshake = encrypted.handshake();
    timer = setTimeout(() => close(encrypted), timeoutMs);
    await handshake;
    return undefined;
  } catch (error) {
    const text = (error as Error).message;
    return REASONS.find(([sign]) => sign.test(text))?.[1] ??
      /invalid peer certificate: ([^:(]+)/.exec(text)?.[1]?.trim();
  } finally {
    clearTimeout(timer);
    close(encrypted);
  }
}

function close(connection: Deno.TlsConn | undefined): void {
  try {
    connection?.close();
  } catch (error) {
    // The timer was faster.
    if (!(error instanceof Deno.errors.BadResource)) throw error;
  }
}
