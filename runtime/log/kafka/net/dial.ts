// Connects to a broker, plain or over TLS.
import { settled } from "../../../base/wait.ts";
import { NetworkError } from "../protocol/errors.ts";
import { type Broker, isAddress, type Tls } from "./address.ts";
import { firstOf } from "./race.ts";
import type { Transport } from "./tls.ts";

/** After this time without a connection the next address is tried in parallel. */
const NEXT_ADDRESS_MS = 250;

/**
 * Connects to a broker at one of the addresses of its host.
 *
 * @throws errors of the system or of TLS, or the signal's reason
 */
export async function dial(
  broker: Broker,
  tls: Tls | undefined,
  signal: AbortSignal,
): Promise<Transport> {
  const { host, port } = broker;
  const addresses = isAddress(host) ? [host] : await settled(addressesOf(host), signal);
  // Loaded only if needed: each executor loads its own modules.
  const dialTls = tls === undefined ? undefined : (await import("./tls.ts")).dialTls;
  const attempt = (address: string, signal: AbortSignal) =>
    dialTls === undefined
      ? dialPlain(address, port, signal)
      : dialTls({ host, port, address }, tls!, signal);
  const discard = (late: Transport) => late.close();
  return await firstOf(addresses, attempt, { delayMs: NEXT_ADDRESS_MS, signal, discard });
}

async function addressesOf(host: string): Promise<string[]> {
  const { lookup } = await import("node:dns/promises");
  const found = (await lookup(host, { all: true })).map(({ address }) => address);
  if (found.length === 0) throw new NetworkError("it has no host");
  return [...new Set(found)];
}

async function dialPlain(hostname: string, port: number, signal: AbortSignal): Promise<Transport> {
  const connection = await Deno.connect({ hostname, port, signal });
  connection.setNoDelay(true);
  return connection;
}
