// RTSP beside FFmpeg: explains FFmpeg's failures, and relays streams that need a login or a
// certificate check.
import { writeAll } from "../../runtime/base/bytes.ts";
import { maskUrl } from "../../runtime/base/mask.ts";
import { SourceError } from "../source.ts";
import { ByteQueue } from "./bytes.ts";
import { connect, type Connection, type Peer } from "./connection.ts";
import {
  answerable,
  authorize,
  type Challenge,
  type Credentials,
  describeChallenges,
  parseChallenges,
} from "./login.ts";
import { type RelayClient, type RelayPlace, takeRelayPlace } from "./relay_port.ts";

interface RtspAnswer {
  readonly status: number;
  readonly reason: string;
  readonly challenges: readonly Challenge[];
}

const MOST_LINE_BYTES = 16 * 1024;
const MOST_LINES = 200;

async function readHead(input: ByteQueue): Promise<string[] | undefined> {
  const lines: string[] = [];
  while (lines.length < MOST_LINES) {
    const line = await input.line(MOST_LINE_BYTES);
    if (line === undefined) return undefined;
    if (line === "" && lines.length > 0) return lines;
    if (line !== "") lines.push(line);
  }
  throw new SourceError("UNREACHABLE", "it does not speak RTSP");
}

function headersOf(lines: readonly string[], name: string): string[] {
  const start = `${name}:`;
  return lines.slice(1).filter((line) => line.toLowerCase().startsWith(start))
    .map((line) => line.slice(start.length).trim());
}

function readAnswer(lines: readonly string[]): RtspAnswer {
  const match = /^RTSP\/\d\.\d (\d{3}) ?(.*)$/.exec(lines[0]!);
  if (match === null) throw new SourceError("UNREACHABLE", "it does not speak RTSP");
  const challenges = parseChallenges(headersOf(lines, "www-authenticate"));
  return { status: Number(match[1]), reason: match[2]!, challenges };
}

/**
 * Sends DESCRIBE for a stream, without logging in.
 *
 * @throws {SourceError} `UNREACHABLE` with the cause.
 */
export async function describeStream(
  peer: Peer,
  uri: string,
  signal: AbortSignal,
): Promise<RtspAnswer> {
  const connection = await connect(peer, signal);
  try {
    const lines = [`DESCRIBE ${uri} RTSP/1.0`, "CSeq: 1", "Accept: application/sdp"];
    await connection.write(new TextEncoder().encode(`${lines.join("\r\n")}\r\n\r\n`));
    const head = await readHead(new ByteQueue(connection.chunks));
    if (head === undefined) throw new SourceError("UNREACHABLE", "it closes the connection");
    return readAnswer(head);
  } finally {
    connection.close();
  }
}

/**
 * A local proxy for a camera: FFmpeg connects to it without a password and without TLS, and the
 * relay logs in and checks the certificate. Interleaved packets pass unchanged; stray bytes between
 * them, at which FFmpeg loses the stream, are removed. The server cannot redirect FFmpeg elsewhere.
 */
export class RtspRelay implements Disposable {
  readonly #place: RelayPlace = takeRelayPlace();
  readonly #upstream: Connection;
  readonly #uri: string;
  readonly #credentials: Credentials | undefined;
  readonly #onStray: () => void;
  #client: Deno.TcpConn | undefined;
  #challenge: Challenge | undefined;
  /** The current request, kept to send it again with a login. */
  #request: { readonly lines: readonly string[]; tries: number } | undefined;
  #failure: unknown;

  private constructor(
    upstream: Connection,
    uri: string,
    credentials: Credentials | undefined,
    onStray: () => void,
  ) {
    this.#upstream = upstream;
    this.#uri = uri;
    this.#credentials = credentials;
    this.#onStray = onStray;
    void this.#run();
  }

  /**
   * Connects to the camera.
   *
   * @param uri the stream's address, without credentials
   * @param onStray called once if there are bytes that are neither a packet nor a message
   * @throws {SourceError} with the cause.
   */
  static async open(
    peer: Peer,
    uri: string,
    credentials: Credentials | undefined,
    signal: AbortSignal,
    onStray: () => void,
  ): Promise<RtspRelay> {
    const upstream = await connect(peer, signal);
    try {
      return new RtspRelay(upstream, uri, credentials, onStray);
    } catch (error) {
      upstream.close();
      throw error;
    }
  }

  get url(): string {
    const { pathname, search } = new URL(this.#uri.replace(/^rtsps?:/, "http:"));
    return `${this.#place.url}${pathname}${search}`;
  }

  /** What the server rejected, or why the relay ended. */
  get failure(): unknown {
    return this.#failure;
  }

  async #run(): Promise<void> {
    try {
      const client = await this.#place.client;
      this.#client = client.connection;
      await Promise.race([this.#requests(client), this.#answers(client.connection)]);
    } catch (error) {
      this.#failure = error;
    } finally {
      this[Symbol.dispose]();
    }
  }

  async #requests({ input }: RelayClient): Promise<void> {
    for (;;) {
      if (input.bytes.length === 0 && !await input.more()) return;
      if (input.bytes[0] === DOLLAR) {
        if (!await forward(input, (bytes) => this.#upstream.write(bytes))) return;
        continue;
      }
      const lines = await readHead(input);
      if (lines === undefined) return;
      const length = Number(headersOf(lines, "content-length")[0] ?? 0);
      while (input.bytes.length < length) if (!await input.more()) return;
      input.skip(length); // bodies of a reader's requests do not matter
      const authority = /^rtsps?:\/\/[^/]+/.exec(this.#uri)![0];
      this.#request = {
        lines: lines.map((line) => line.replace(this.#place.url, authority)),
        tries: 0,
      };
      await this.#send();
    }
  }

  async #send(): Promise<void> {
    const { lines } = this.#request!;
    const [method = "", uri = ""] = lines[0]!.split(" ");
    const login = this.#challenge === undefined || this.#credentials === undefined
      ? []
      : [`Authorization: ${authorize(this.#challenge, { method, uri }, this.#credentials)}`];
    const text = [...lines, ...login].join("\r\n");
    await this.#upstream.write(new TextEncoder().encode(`${text}\r\n\r\n`));
  }

  async #answers(client: Deno.TcpConn): Promise<void> {
    const input = new ByteQueue(this.#upstream.chunks);
    const write = (bytes: Uint8Array) => writeAll(client, bytes);
    let streaming = false;
    let lost = false;
    let reported = false;
    for (;;) {
      if (input.bytes.length === 0 && !await input.more()) return;
      if (lost || (streaming && input.bytes[0] !== DOLLAR)) {
        const at = nextStart(input.bytes);
        const stray = at ?? Math.max(0, input.bytes.length - BEGINNING_BYTES + 1);
        if (stray > 0 && !reported) this.#onStray();
        reported ||= stray > 0;
        input.skip(stray);
        lost = at === undefined;
        if (lost && !await input.more()) return;
        if (lost) continue;
      }
      if (input.bytes[0] === DOLLAR) {
        if (!await forward(input, write)) return;
        streaming = true;
        continue;
      }
      const lines = await readHead(input);
      if (lines === undefined) return;
      const length = Number(headersOf(lines, "content-length")[0] ?? 0);
      while (input.bytes.length < length) if (!await input.more()) return;
      const body = input.take(length);
      if (await this.#isHandled(lines)) continue;
      await write(new TextEncoder().encode(`${this.#answerLines(lines).join("\r\n")}\r\n\r\n`));
      await write(body);
      streaming ||= this.#request?.lines[0]?.startsWith("PLAY ") ?? false;
    }
  }

  /**
   * Handles answers that are not meant for FFmpeg: sends the request again, with a login, if the
   * answer asks for one.
   *
   * @throws {SourceError} if it asks for an unsupported login, or redirects.
   */
  async #isHandled(lines: readonly string[]): Promise<boolean> {
    if (!lines[0]!.startsWith("RTSP/")) return false;
    const { status, reason, challenges } = readAnswer(lines);
    const request = this.#request;
    if (status >= 300 && status < 400) {
      const to = maskUrl((headersOf(lines, "location")[0] ?? "").slice(0, 200));
      throw new SourceError(
        "UNREACHABLE",
        `it redirects to ${to}, which is not followed; use that address as the source`,
      );
    }
    if (status > 401 && status !== 404 && request?.lines[0]?.startsWith("DESCRIBE ")) {
      this.#failure = new SourceError("UNREACHABLE", `the server answers ${status} ${reason}`);
    }
    if (status !== 401 || this.#credentials === undefined) return false;
    const [best] = answerable(challenges);
    if (best === undefined) {
      const offered = describeChallenges(challenges);
      throw new SourceError(
        "UNAUTHORIZED",
        `it asks for a login that is not supported (${offered})`,
      );
    }
    if (request === undefined || request.tries++ > 0) return false;
    this.#challenge = best;
    await this.#send();
    return true;
  }

  /** Names the camera as the source of UDP video, which does not come from the relay. */
  #answerLines(lines: readonly string[]): readonly string[] {
    const { address } = this.#upstream;
    if (address === undefined) return lines;
    return lines.map((line) =>
      /^transport:.*;server_port=/i.test(line) && !/;source=/i.test(line)
        ? `${line};source=${address}`
        : line
    );
  }

  [Symbol.dispose](): void {
    this.#place[Symbol.dispose]();
    for (const end of [this.#client, this.#upstream]) {
      try {
        end?.close();
      } catch (error) {
        if (!(error instanceof Deno.errors.BadResource)) throw error;
      }
    }
  }
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
      await write(input.take(end));
      return true;
    }
    if (!await input.more()) return false;
  }
}
