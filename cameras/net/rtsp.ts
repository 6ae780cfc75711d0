// A relay between FFmpeg and an RTSP camera, on the way of everything but video over UDP.
import { Buffer } from "node:buffer";
import { concatenated, writeAll } from "../../runtime/base/bytes.ts";
import { maskUrl } from "../../runtime/base/mask.ts";
import { brief } from "../../runtime/base/options.ts";
import { SourceError } from "../source.ts";
import { ByteQueue } from "./bytes.ts";
import { connect, type Connection, type Peer } from "./connection.ts";
import { encodeHead, Head } from "./head.ts";
import type { Login } from "./login.ts";
import { type RelayClient, type RelayPlace, takeRelayPlace } from "./relay_port.ts";
import { PacketNumbers } from "./rtp.ts";

/** A server's redirection, which FFmpeg does not get: the caller decides whether to follow it. */
export class RedirectError extends SourceError {
  readonly to: string;

  constructor(to: string) {
    super(
      "UNREACHABLE",
      `it redirects to ${
        brief(maskUrl(to))
      }, which is not followed; use that address as the source`,
    );
    this.to = to;
  }
}

interface RelayOptions {
  readonly peer: Peer;
  /** The stream's address, without credentials. */
  readonly uri: string;
  readonly login: Login;
  /** Takes each fault of the stream once, such as `sends …`. */
  readonly report: (fault: string) => void;
}

/** The longest description of a stream; an ordinary one has a few hundred bytes. */
const MOST_BODY = 1024 * 1024;

const STRAYS = "sends stray bytes between packets: they are ignored";
const LOSES = "loses packets of its video";

/**
 * A local proxy for a camera. FFmpeg connects to it without a password and without TLS; the relay
 * logs in, checks the certificate, and keeps the server's reason if it refuses. Interleaved packets
 * pass unchanged, with marks where some are lost; stray bytes between them, at which FFmpeg loses the
 * stream, are removed. The server cannot redirect FFmpeg elsewhere.
 */
export class RtspRelay implements Disposable {
  readonly #options: RelayOptions;
  readonly #url = Promise.withResolvers<string>();
  readonly #over = new AbortController();
  #upstream: Connection | undefined;
  #place: RelayPlace | undefined;
  #client: Deno.TcpConn | undefined;
  /** The request that waits for its answer, kept to send it again with a login. */
  #request: readonly string[] | undefined;
  #sent = 0;
  #streaming = false;
  readonly #reported = new Set<string>();
  #failure: unknown;

  constructor(options: RelayOptions) {
    this.#options = options;
    void this.#run();
  }

  /** Where FFmpeg is to connect, once the camera is reached. */
  get url(): Promise<string> {
    return this.#url.promise;
  }

  /** Why the relay ended: a `SourceError` if the camera is the cause. */
  get failure(): unknown {
    return this.#failure;
  }

  async #run(): Promise<void> {
    try {
      const { peer, uri } = this.#options;
      const upstream = await connect(peer, this.#over.signal);
      this.#upstream = upstream;
      this.#over.signal.throwIfAborted();
      const place = takeRelayPlace(upstream.address);
      this.#place = place;
      const { pathname, search } = new URL(uri.replace(/^rtsps?:/, "http:"));
      this.#url.resolve(`${place.url}${pathname}${search}`);
      const client = await place.client;
      this.#client = client.connection;
      await Promise.race([
        this.#requests(client, upstream),
        this.#answers(client.connection, upstream),
      ]);
    } catch (error) {
      this.#failure = error;
      this.#url.promise.catch(() => {});
      this.#url.reject(error);
    } finally {
      this[Symbol.dispose]();
    }
  }

  async #requests({ greeting, input }: RelayClient, upstream: Connection): Promise<void> {
    await this.#ask(greeting, upstream);
    for (;;) {
      if (input.bytes.length === 0 && !await input.more()) return;
      if (input.bytes[0] === DOLLAR) {
        if (!await forward(input, (bytes) => upstream.write(bytes))) return;
        continue;
      }
      const head = await Head.read(input, "RTSP");
      if (head === undefined) return;
      await this.#ask(head, upstream);
    }
  }

  /** Passes on what FFmpeg asks, or its answer to a request of the server. */
  async #ask(head: Head, upstream: Connection): Promise<void> {
    if (head.status.code > 0) return await upstream.write(encodeHead(head.lines));
    const authority = /^rtsps?:\/\/[^/?#]+/.exec(this.#options.uri)![0];
    this.#options.login.begin();
    this.#request = head.lines.map((line) => line.replace(this.#place!.url, authority));
    await this.#send(this.#request, upstream);
  }

  async #send(lines: readonly string[], upstream: Connection): Promise<void> {
    const [method = "", uri = ""] = lines[0]!.split(" ");
    // A number of its own for each attempt: a server may ignore one that it knows. FFmpeg compares
    // the numbers of answers with nothing.
    const number = ++this.#sent;
    const numbered = lines.map((line) => line.replace(/^(CSeq:).*/i, `$1 ${number}`));
    const login = this.#options.login.lines({ method, uri });
    await upstream.write(encodeHead([...numbered, ...login]));
  }

  async #answers(client: Deno.TcpConn, upstream: Connection): Promise<void> {
    const input = new ByteQueue(upstream.chunks);
    const write = (bytes: Uint8Array) => writeAll(client, bytes);
    const numbers = new PacketNumbers();
    const marked = (packet: Uint8Array) => {
      const bytes = numbers.marked(packet);
      if (bytes !== undefined) this.#report(LOSES);
      return bytes;
    };
    while (input.bytes.length > 0 || await input.more()) {
      if (this.#streaming && input.bytes[0] !== DOLLAR && !await this.#skipStray(input)) break;
      if (input.bytes[0] === DOLLAR) {
        if (!await forward(input, write, marked)) break;
        this.#streaming ||= this.#request?.[0]?.startsWith("PLAY ") === true;
        continue;
      }
      const head = await Head.read(input, "RTSP");
      const body = head && await bodyOf(head, input);
      if (head === undefined || body === undefined) break;
      if (await this.#isHandled(head, upstream)) continue;
      const text = Buffer.from(body).toString("latin1");
      // FFmpeg would ask to play what it has not set up.
      if (/^m=/m.test(text) && !/^m=video /m.test(text)) {
        throw new SourceError("UNSUPPORTED", "it holds no video");
      }
      if (text !== "") numbers.describe(text);
      await write(concatenated([encodeHead(plainLines(head, body, upstream)), body]));
    }
    if (!this.#streaming) {
      throw new SourceError("UNREACHABLE", "the server closes the connection");
    }
  }

  /**
   * Handles answers that are not meant for FFmpeg: sends the request again, with a login, if the
   * answer asks for one. A server's own requests pass.
   *
   * @throws {SourceError} if the server refuses or redirects.
   */
  async #isHandled(head: Head, upstream: Connection): Promise<boolean> {
    const { code } = head.status;
    if (code === 0) return false;
    // FFmpeg would follow it whenever it comes; a stream goes on without this keep-alive.
    if (code >= 300 && code < 400) {
      if (this.#streaming) return true;
      throw refusal(head);
    }
    const request = this.#request;
    // Interim answers, such as 100 Continue, and those without a request.
    if (code < 200 || request === undefined) return true;
    if (code === 401 || code === 403) {
      try {
        this.#options.login.refused(head.values("www-authenticate"));
        await this.#send(request, upstream);
        return true;
      } catch (error) {
        // The stream may go on without this keep-alive.
        if (!this.#streaming) throw error;
      }
    } else if (code >= 400 && !this.#streaming) throw refusal(head);
    if (code < 300 && request[0]!.startsWith("PLAY ")) this.#streaming = true;
    this.#request = undefined;
    return false;
  }

  /**
   * Skips bytes that are neither a packet nor a message.
   *
   * @returns false if the input ends first.
   */
  async #skipStray(input: ByteQueue): Promise<boolean> {
    for (;;) {
      const at = nextStart(input.bytes);
      const stray = at ?? Math.max(0, input.bytes.length - BEGINNING_BYTES + 1);
      if (stray > 0) this.#report(STRAYS);
      input.skip(stray);
      if (at !== undefined) return true;
      if (!await input.more()) return false;
    }
  }

  #report(fault: string): void {
    if (!this.#reported.has(fault)) this.#options.report(fault);
    this.#reported.add(fault);
  }

  [Symbol.dispose](): void {
    this.#place?.[Symbol.dispose]();
    this.#over.abort();
    this.#upstream?.close();
    try {
      this.#client?.close();
    } catch (error) {
      if (!(error instanceof Deno.errors.BadResource)) throw error;
    }
  }
}

function refusal(head: Head): SourceError {
  const { code, reason } = head.status;
  const [to] = head.values("location");
  if (code < 400 && to !== undefined) return new RedirectError(to);
  if (code === 404) return new SourceError("UNREACHABLE", "the server has no such stream");
  if (code === 461) {
    return new SourceError(
      "UNSUPPORTED",
      "461 Unsupported Transport: the camera wants UDP (rtsp+udp://) instead of TCP, or TCP (rtsp://) instead of UDP",
    );
  }
  return new SourceError("UNREACHABLE", `the server answers ${code} ${brief(reason)}`);
}

/**
 * The lines as FFmpeg reads them in one way alone, and no further answer hides in them: headers without
 * control characters, the body's length at the end. Names the camera as the source of UDP video, which does
 * not come from the relay.
 */
function plainLines({ lines }: Head, body: Uint8Array, { address }: Connection): string[] {
  const [first = "", ...headers] = lines.map((line) => line.replace(/\p{Cc}/gu, " "));
  const plain = headers.filter((line) => /^(?!content-length:)[a-z][\w-]*:/i.test(line)).map((
    line,
  ) =>
    address !== undefined && /^transport:.*;server_port=/i.test(line) && !/;source=/i.test(line)
      ? `${line};source=${address}`
      : line
  );
  return [first, ...plain, `Content-Length: ${body.length}`];
}

/** @returns undefined if the input ends first. */
async function bodyOf(head: Head, input: ByteQueue): Promise<Uint8Array | undefined> {
  const { length = 0 } = head;
  if (length > MOST_BODY) {
    const most = `at most ${MOST_BODY} are accepted`;
    throw new SourceError("UNREACHABLE", `its answer has ${length} bytes: ${most}`);
  }
  while (input.bytes.length < length) if (!await input.more()) return undefined;
  return input.take(length);
}

const DOLLAR = 36;
/** Enough bytes to recognise a message: `GET_PARAMETER rtsp:`. */
const BEGINNING_BYTES = 20;
const MESSAGE = /RTSP\/\d|[A-Z_]{1,14} rtsp:/y;

/** Where a message or an RTP packet starts among stray bytes; undefined if none does. */
function nextStart(bytes: Uint8Array): number | undefined {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("latin1");
  for (let at = 0; at + BEGINNING_BYTES <= bytes.length; at++) {
    if (bytes[at] === DOLLAR && bytes[at + 1]! < 8 && bytes[at + 4]! >> 6 === 2) return at;
    MESSAGE.lastIndex = at;
    if (MESSAGE.test(text)) return at;
  }
  return undefined;
}

/** With its frame of 4 bytes. FFmpeg loses its place at shorter packets, which are neither RTP nor RTCP. */
const LEAST_PACKET = 12;

/**
 * Forwards the complete interleaved packets, waiting for the first one; leaves out those too short.
 *
 * @param instead the bytes to send instead of a packet; undefined to send the packet itself
 */
async function forward(
  input: ByteQueue,
  write: (bytes: Uint8Array) => Promise<void>,
  instead: (packet: Uint8Array) => Uint8Array | undefined = () => undefined,
): Promise<boolean> {
  for (;;) {
    const { bytes } = input;
    let end = 0;
    while (bytes[end] === DOLLAR && end + 4 <= bytes.length) {
      const next = end + 4 + bytes[end + 2]! * 256 + bytes[end + 3]!;
      if (next > bytes.length) break;
      const packet = bytes.subarray(end, next);
      const other = packet.length < LEAST_PACKET ? new Uint8Array() : instead(packet);
      if (other !== undefined) {
        await write(concatenated([bytes.subarray(0, end), other]));
        input.skip(next);
        return true;
      }
      end = next;
    }
    if (end > 0) {
      await write(bytes.subarray(0, end));
      input.skip(end);
      return true;
    }
    if (!await input.more()) return false;
  }
}
