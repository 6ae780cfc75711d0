// Finds ONVIF cameras on the local network: WS-Discovery, then each device's stream addresses.
import { messageOf } from "../runtime/base/errors.ts";
import { createHash, randomBytes } from "node:crypto";
import { createSocket } from "node:dgram";
import { given } from "../runtime/base/options.ts";
import { settled } from "../runtime/base/wait.ts";
import type { Credentials } from "./net/login.ts";
import { SourceError } from "./source.ts";

export interface FoundCamera {
  readonly service: string;
  /** The name that the camera reports. */
  readonly name?: string;
  readonly place?: string;
  /** Stream addresses, without passwords, best first as the camera lists them. */
  readonly streams: readonly string[];
  readonly error?: string;
}

interface DiscoveryOptions {
  /** Where the probe is sent: the multicast group of WS-Discovery, or a single host. */
  readonly hostname: string;
  readonly port: number;
  readonly forMs: number;
  readonly credentials?: Credentials;
  readonly signal: AbortSignal;
}

const MOST_ANSWER_BYTES = 1024 * 1024;
const REQUEST_MS = 5_000;
const DEVICE = "http://www.onvif.org/ver10/device/wsdl";
const MEDIA = "http://www.onvif.org/ver10/media/wsdl";

/** Probes the network, then queries every device that answered. */
export async function discover(options: DiscoveryOptions): Promise<FoundCamera[]> {
  const services = await askNetwork(options);
  return await Promise.all(
    [...services].map(([service, scopes]) => describeDevice(service, scopes, options)),
  );
}

/** Device services by address, with the scopes that each device reports. */
async function askNetwork(
  { hostname, port, forMs, signal }: DiscoveryOptions,
): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  const socket = createSocket("udp4");
  const question =
    `<?xml version="1.0"?><e:Envelope xmlns:e="http://www.w3.org/2003/05/soap-envelope" ` +
    `xmlns:w="http://schemas.xmlsoap.org/ws/2004/08/addressing" ` +
    `xmlns:d="http://schemas.xmlsoap.org/ws/2005/04/discovery" ` +
    `xmlns:n="http://www.onvif.org/ver10/network/wsdl"><e:Header>` +
    `<w:MessageID>uuid:${crypto.randomUUID()}</w:MessageID>` +
    `<w:To>urn:schemas-xmlsoap-org:ws:2005:04:discovery</w:To>` +
    `<w:Action>http://schemas.xmlsoap.org/ws/2005/04/discovery/Probe</w:Action></e:Header>` +
    `<e:Body><d:Probe><d:Types>n:NetworkVideoTransmitter</d:Types></d:Probe></e:Body></e:Envelope>`;
  try {
    const { promise, reject } = Promise.withResolvers<never>();
    const fail = (cause: Error) => {
      const message = `Cannot ask ${hostname}:${port} for cameras: is this machine in a network?`;
      reject(new SourceError("UNREACHABLE", message, { cause }));
    };
    socket.on("error", fail);
    socket.on("message", (message, { address }) => {
      const text = message.toString();
      for (const match of tags(text, "ProbeMatch")) {
        // Accept only the sender's own address: a device must not direct requests to other hosts.
        const own = (tag(match, "XAddrs") ?? "").split(/\s+/).find((url) =>
          URL.canParse(url) && /^https?:$/.test(new URL(url).protocol) &&
          new URL(url).hostname === address
        );
        if (own !== undefined) found.set(own, tag(match, "Scopes") ?? "");
      }
    });
    const { promise: sent, resolve: done } = Promise.withResolvers<void>();
    socket.send(question, port, hostname, (error) => error ? fail(error) : done());
    await Promise.race([sent, promise]);
    const over = new Promise<void>((resolve) => setTimeout(resolve, forMs));
    await settled(Promise.race([over, promise]), signal);
  } finally {
    socket.close();
  }
  return found;
}

async function describeDevice(
  service: string,
  scopes: string,
  { credentials, signal }: DiscoveryOptions,
): Promise<FoundCamera> {
  const name = scope(scopes, "name");
  const place = scope(scopes, "location");
  const about = { service, ...given({ name, place }) };
  try {
    return { ...about, streams: await streamsOf(service, credentials, signal) };
  } catch (error) {
    if (signal.aborted) throw signal.reason;
    return { ...about, streams: [], error: messageOf(error) };
  }
}

/** The stream addresses of an ONVIF device service, best first as the camera lists them. */
async function streamsOf(
  service: string,
  credentials: Credentials | undefined,
  signal: AbortSignal,
): Promise<string[]> {
  const ask = (url: string, body: string) => request(url, body, credentials, signal);
  const capabilities = await ask(
    service,
    `<GetCapabilities xmlns="${DEVICE}"><Category>Media</Category></GetCapabilities>`,
  );
  const media = tags(capabilities, "Media").map((text) => tag(text, "XAddr"))[0];
  if (media === undefined) throw new Error("It reports no media service");
  if (new URL(media).hostname !== new URL(service).hostname) {
    throw new Error(`Its media service is on another host, ${new URL(media).hostname}`);
  }
  const profiles = await ask(media, `<GetProfiles xmlns="${MEDIA}"/>`);
  const tokens = [
    ...profiles.matchAll(/<(?:\w{1,64}:)?Profiles\b[^<>]*?\btoken="([^"<>]{1,200})"/g),
  ];
  const streams: string[] = [];
  for (const [, token] of tokens.slice(0, 16)) {
    const answer = await ask(
      media,
      `<GetStreamUri xmlns="${MEDIA}"><StreamSetup>` +
        `<Stream xmlns="http://www.onvif.org/ver10/schema">RTP-Unicast</Stream>` +
        `<Transport xmlns="http://www.onvif.org/ver10/schema"><Protocol>RTSP</Protocol></Transport>` +
        `</StreamSetup><ProfileToken>${token}</ProfileToken></GetStreamUri>`,
    );
    const uri = tag(answer, "Uri");
    if (uri !== undefined && URL.canParse(uri)) streams.push(uri);
  }
  return streams;
}

async function request(
  url: string,
  body: string,
  credentials: Credentials | undefined,
  signal: AbortSignal,
): Promise<string> {
  const response = await fetch(url, {
    method: "POST",
    redirect: "manual",
    headers: { "content-type": "application/soap+xml; charset=utf-8" },
    body: `<?xml version="1.0"?><s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope">` +
      `<s:Header>${credentials === undefined ? "" : security(credentials)}</s:Header>` +
      `<s:Body>${body}</s:Body></s:Envelope>`,
    signal: AbortSignal.any([signal, AbortSignal.timeout(REQUEST_MS)]),
  });
  let text = "";
  const decoder = new TextDecoder();
  for await (const chunk of response.body ?? []) {
    text += decoder.decode(chunk, { stream: true });
    if (text.length > MOST_ANSWER_BYTES) throw new Error("Its answer is too long");
  }
  if (response.ok) return text;
  const reason = tag(text, "Text") ?? `The server answers ${response.status}`;
  throw new Error(
    /NotAuthorized|not authorized/i.test(text) || response.status === 401
      ? "It requires a user name and a password (--user, --password), or these are wrong"
      : reason,
  );
}

/** WS-Security's UsernameToken, which does not contain the password itself. */
function security({ user, password }: Credentials): string {
  const nonce = randomBytes(16);
  const created = new Date().toISOString();
  const digest = createHash("sha1").update(nonce).update(created + password).digest("base64");
  const base = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss";
  return `<Security xmlns="${base}-wssecurity-secext-1.0.xsd"><UsernameToken>` +
    `<Username>${escaped(user)}</Username>` +
    `<Password Type="${base}-username-token-profile-1.0#PasswordDigest">${digest}</Password>` +
    `<Nonce EncodingType="${base}-soap-message-security-1.0#Base64Binary">` +
    `${nonce.toString("base64")}</Nonce>` +
    `<Created xmlns="${base}-wssecurity-utility-1.0.xsd">${created}</Created>` +
    `</UsernameToken></Security>`;
}

/** The contents of all elements with a name, in any namespace. Reads a hostile text once. */
function tags(xml: string, name: string): string[] {
  const opening = new RegExp(`<(?:[\\w-]{1,64}:)?${name}(?:\\s[^<>]*)?>`, "g");
  const closing = new RegExp(`</(?:[\\w-]{1,64}:)?${name}>`, "g");
  const contents: string[] = [];
  while (opening.exec(xml) !== null) {
    closing.lastIndex = opening.lastIndex;
    const end = closing.exec(xml);
    if (end === null) break;
    contents.push(xml.slice(opening.lastIndex, end.index));
    opening.lastIndex = closing.lastIndex;
  }
  return contents;
}

function tag(xml: string, name: string): string | undefined {
  return tags(xml, name)[0]?.trim().replace(
    /&(lt|gt|quot|apos|amp);/g,
    (_, entity: string) => ENTITIES[entity]!,
  );
}

const ENTITIES: Readonly<Record<string, string>> = {
  lt: "<",
  gt: ">",
  quot: '"',
  apos: "'",
  amp: "&",
};

function escaped(text: string): string {
  return text.replace(/[<>"'&]/g, (character) => `&#${character.charCodeAt(0)};`);
}

/** Reads `Front door` from `onvif://www.onvif.org/name/Front%20door`. */
function scope(scopes: string, kind: string): string | undefined {
  const text = new RegExp(`onvif://www\\.onvif\\.org/${kind}/([^\\s/]+)`).exec(scopes)?.[1];
  if (text === undefined) return undefined;
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
