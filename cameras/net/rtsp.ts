// A relay between FFmpeg and an RTSP camera, on the way of everything but video over UDP.
import { concatenated, writeAll } from "../../runtime/base/bytes.ts";
import { maskUrl } from "../../runtime/base/mask.ts";
import { brief } from "../../runtime/base/options.ts";
import { SourceError } from "../source.ts";
import { ByteQueue } from "./bytes.ts";
import { connect, type Connection, type Peer } from "./connection.ts";
import { encodeHead, Head } from "./head.ts";
import type { Login } from "./login.ts";
import { type RelayClient, type RelayPlace, takeRelayPlace } from "./relay_port.ts";

interface RelayOptions {
  readonly peer: Peer;
  /** The stream's address, without credentials. */
  readonly uri: string;
  readonly login: Login;
  /** Called once if there are bytes that are neither a packet nor a message. */
  readonly onStray: () => void;
}

/** The longest description of a stream; an ordinary one has a few hundred bytes. */
const MOST_BODY = 1024 * 1024;

/**
 * A local proxy for a camera. FFmpeg connects to it without a password and without TLS; the relay
 * logs in, checks the certificate, and keeps the server's reason if it refuses. Interleaved packets
 * pass unchanged; stray bytes between them, at which FFmpeg loses the stream, are removed. The
 * server cannot redirect FFmpeg elsewhere.
 */
export class RtspRelay implements Disposable {
  readonly #options: RelayOptions;
  readonly #place: RelayPlace;
  readonly #over = new AbortController();
  #client: Deno.TcpConn | undefined;
  #upstream: Connection | undefined;
  /** The request that waits for its answer, kept to send it again with a login. */
  #request: readonly string[] | undefined;
  #sent = 0;
  #streaming = false;
  #strayed = false;
  #failure: unknown;

  /** Connects to the camera once FFmpeg has connected to `url`. */
  constructor(options: RelayOptions) {
    this.#options = options;
    this.#place = takeRelayPlace(options.peer.hostname);
    void this.#run();
  }

  get url(): string {
    const { pathname, search } = new URL(this.#options.uri.replace(/^rtsps?:/, "http:"));
    return `${this.#place.url}${pathname}${search}`;
  }

  /** Why the relay ended: a `SourceError` if the camera is the cause. */
  get failure(): unknown {
    return this.#failure;
  }

  async #run(): Promise<void> {
    try {
      const client = await this.#place.client;
      this.#client = client.connection;
      const upstream = await connect(this.#options.peer, this.#over.signal);
      this.#upstream = upstream;
      await Promise.race([
        this.#requests(client, upstream),
        this.#answers(client.connection, upstream),
      ]);
    } catch (error) {
      this.#failure = error;
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
    const authority = /^rtsps?:\/\/[^/]+/.exec(this.#options.uri)![0];
    this.#options.login.begin();
    this.#request = head.lines.map((line) => line.replace(this.#place.url, authority));
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
    while (input.bytes.length > 0 || await input.more()) {
      if (this.#streaming && input.bytes[0] !== DOLLAR && !await this.#skipStray(input)) break;
      if (input.bytes[0] === DOLLAR) {
        if (!await forward(input, write)) break;
        this.#streaming = true;
        continue;
      }
      const head = await Head.read(input, "RTSP");
      const body = head && await bodyOf(head, input);
      if (head === undefined || body === undefined) break;
      if (await this.#isHandled(head, upstream)) continue;
      await write(concatenated([encodeHead(answerLines(head, upstream)), body]));
    }
    if (!this.#streaming) {
      throw new SourceError("UNREACHABLE", "the server closes the connection");
    }
  }

  /**
   * Handles answers that are not meant for FFmpeg: sends the request again, with a login, if the
   * answer asks for one.
   *
   * @throws {SourceError} if the server refuses or redirects.
   */
  async #isHandled(head: Head, upstream: Connection): Promise<boolean> {
    const { code } = head.status;
    // Interim answers, such as 100 Continue.
    if (code >= 100 && code < 200) return true;
    const request = this.#request;
    if (code === 0 || request === undefined) return false;
    if (code === 401 || code === 403) {
      try {
        this.#options.login.refused(head.values("www-authenticate"));
        await this.#send(request, upstream);
        return true;
      } catch (error) {
        // The stream may go on without this keep-alive.
        if (!this.#streaming) throw error;
      }
    } else if (code >= 300 && !this.#streaming) throw refusal(head);
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
      if (stray > 0 && !this.#strayed) this.#options.onStray();
      this.#strayed ||= stray > 0;
      input.skip(stray);
      if (at !== undefined) return true;
      if (!await input.more()) return false;
    }
  }

  [Symbol.dispose](): void {
    this.#place[Symbol.dispose]();
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
  if (code < 400 && to !== undefined) {
    return new SourceError(
      "UNREACHABLE",
      `it redirects to ${
        brief(maskUrl(to))
      }, which is not followed; use that address as the source`,
    );
  }
  if (code === 404) return new SourceError("UNREACHABLE", "the server has no such stream");
  if (code === 461) {
    return new SourceError(
      "UNSUPPORTED",
      "461 Unsupported Transport: the camera wants UDP (rtsp+udp://) instead of TCP, or TCP (rtsp://) instead of UDP",
    );
  }
  return new SourceError("UNREACHABLE", `the server answers ${code} ${brief(reason)}`);
}

/** Names the camera as the source of UDP video, which does not come from the relay. */
function answerLines({ lines }: Head, { address }: Connection): readonly string[] {
  if (address === undefined) return lines;
  return lines.map((line) =>
    /^transport:.*;server_port=/i.test(line) && !/;source=/i.test(line)
      ? `${line};source=${address}`
      : line
  );
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
const MESSAGE = /^(?:RTSP\/\d|[A-Z_]+ rtsp:)/;

/** Where a message or an RTP packet starts among stray bytes; undefined if none does. */
function nextStart(bytes: Uint8Array): number | undefined {
  for (let at = 0; at + BEGINNING_BYTES <= bytes.length; at++) {
    const beginning = bytes.subarray(at, at + BEGINNING_BYTES);
    const [dollar, channel, , , head] = beginning;
    if (dollar === DOLLAR && channel! < 8 && head! >> 6 === 2) return at;
    if (MESSAGE.test(new TextDecoder("latin1").decode(beginning))) return at;
  }
  return undefined;
}

/** Forwards the complete interleaved packets, waiting for the first one. */
async function forward(
  input: ByteQueue,
  write: (bytes: Uint8Array) => Promise<void>,
): Promise<boolean> {
  for (;;) {
    const { bytes } = input;
    let end = 0;
    while (bytes[end] === DOLLAR && end + 4 <= bytes.length) {
      const next = end + 4 + bytes[end + 2]! * 256 + bytes[end + 3]!;
      if (next > bytes.length) break;
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
