// HTTP/1.1 GET for cameras, tolerant of status lines, headers and lengths that stricter clients
// reject.
import { SourceError } from "../source.ts";
import { ByteQueue } from "./bytes.ts";
import { connect, describeCause, type TlsSettings } from "./connection.ts";

export interface HttpResponse extends Disposable {
  readonly status: number;
  /** All values of a header, by its lower-case name. */
  header(name: string): readonly string[];
  readonly body: AsyncIterable<Uint8Array>;
}

interface HttpOptions extends TlsSettings {
  readonly authorization?: string;
  readonly signal: AbortSignal;
}

const MOST_HEADER_BYTES = 64 * 1024;

/**
 * Requests a URL, without following redirects.
 *
 * @throws {SourceError} `UNREACHABLE` with the cause.
 * @throws the signal's reason if it aborts.
 */
export async function get(url: URL, options: HttpOptions): Promise<HttpResponse> {
  const { authorization, signal, ...tls } = options;
  const secure = url.protocol === "https:";
  const port = Number(url.port) || (secure ? 443 : 80);
  const connection = await connect({ ...tls, hostname: url.hostname, port, secure }, signal);
  try {
    const lines = [
      `GET ${url.pathname}${url.search} HTTP/1.1`,
      `Host: ${url.host}`,
      "Accept: */*",
      "User-Agent: framelane",
      "Connection: close",
      ...(authorization === undefined ? [] : [`Authorization: ${authorization}`]),
    ];
    await connection.write(new TextEncoder().encode(`${lines.join("\r\n")}\r\n\r\n`));
    const input = new ByteQueue(connection.chunks);
    const { status, headers } = await readHead(input);
    return {
      status,
      header: (name) => headers.get(name) ?? [],
      body: reportBreak(bodyOf(input, headers), signal),
      [Symbol.dispose]: () => connection.close(),
    };
  } catch (error) {
    connection.close();
    if (signal.aborted) throw signal.reason;
    if (error instanceof SourceError) throw error;
    throw new SourceError("UNREACHABLE", describeCause(error), { cause: error });
  }
}

async function readHead(
  input: ByteQueue,
): Promise<{ status: number; headers: Map<string, string[]> }> {
  for (;;) {
    const first = await input.line(MOST_HEADER_BYTES);
    const status = Number(/^[A-Z]+(?:\/\d(?:\.\d)?)? (\d{3})(?: |$)/.exec(first ?? "")?.[1]);
    if (first === undefined || Number.isNaN(status)) {
      throw new SourceError("UNREACHABLE", "it does not speak HTTP");
    }
    const headers = new Map<string, string[]>();
    for (let bytes = 0;;) {
      const line = await input.line(MOST_HEADER_BYTES);
      if (line === undefined) throw new SourceError("UNREACHABLE", "its answer is cut off");
      if (line === "") break;
      bytes += line.length;
      if (bytes > MOST_HEADER_BYTES) {
        throw new SourceError("UNREACHABLE", `its headers exceed ${MOST_HEADER_BYTES} bytes`);
      }
      const colon = line.indexOf(":");
      const name = line.slice(0, Math.max(0, colon)).trim().toLowerCase();
      headers.set(name, [...headers.get(name) ?? [], line.slice(colon + 1).trim()]);
    }
    // Skip interim responses such as 100 Continue.
    if (status >= 200) return { status, headers };
  }
}

async function* bodyOf(
  input: ByteQueue,
  headers: ReadonlyMap<string, readonly string[]>,
): AsyncGenerator<Uint8Array> {
  if (/\bchunked\b/i.test(headers.get("transfer-encoding")?.join() ?? "")) {
    for (;;) {
      const line = await input.line(1024);
      const length = parseInt(line ?? "", 16);
      if (!(length > 0)) return;
      yield* piece(input, length);
      await input.line(2);
    }
  }
  // A multipart stream has no length, although some cameras send one.
  const length = /^multipart\//i.test(headers.get("content-type")?.[0] ?? "")
    ? NaN
    : Number(headers.get("content-length")?.at(-1) ?? NaN);
  yield* piece(input, length >= 0 ? length : Infinity);
}

async function* piece(input: ByteQueue, length: number): AsyncGenerator<Uint8Array> {
  for (let left = length; left > 0;) {
    if (input.bytes.length === 0 && !await input.more()) return;
    const bytes = input.take(Math.min(left, input.bytes.length));
    left -= bytes.length;
    yield bytes;
  }
}

async function* reportBreak(
  body: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  try {
    yield* body;
  } catch (error) {
    if (signal.aborted) throw signal.reason;
    throw new SourceError("ENDED", `the connection broke: ${describeCause(error)}`, {
      cause: error,
    });
  }
}
