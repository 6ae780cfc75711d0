// HTTP/1.1 GET for cameras, tolerant of status lines, headers and lengths that stricter clients
// reject.
import { SourceError } from "../source.ts";
import { ByteQueue } from "./bytes.ts";
import { connect, describeCause, type TlsSettings } from "./connection.ts";
import { encodeHead, Head } from "./head.ts";

export interface HttpResponse extends Disposable {
  readonly head: Head;
  readonly body: AsyncIterable<Uint8Array>;
}

interface HttpOptions extends TlsSettings {
  /** More header lines. */
  readonly lines?: readonly string[];
  readonly signal: AbortSignal;
}

/**
 * Requests a URL, without following redirects.
 *
 * @throws {SourceError} `UNREACHABLE` with the cause.
 * @throws the signal's reason if it aborts.
 */
export async function get(url: URL, options: HttpOptions): Promise<HttpResponse> {
  const { lines: more = [], signal, ...tls } = options;
  const secure = url.protocol === "https:";
  const port = Number(url.port) || (secure ? 443 : 80);
  const connection = await connect({ ...tls, hostname: url.hostname, port, secure }, signal);
  try {
    const lines = [
      `GET ${url.pathname}${url.search} HTTP/1.1`,
      `Host: ${url.host}`,
      "Accept: */*",
      "Accept-Encoding: identity",
      "User-Agent: framelane",
      "Connection: close",
      ...more,
    ];
    await connection.write(encodeHead(lines));
    const input = new ByteQueue(connection.chunks);
    const head = await readAnswer(input);
    return {
      head,
      body: reportBreak(bodyOf(input, head), signal),
      [Symbol.dispose]: () => connection.close(),
    };
  } catch (error) {
    connection.close();
    if (signal.aborted) throw signal.reason;
    if (error instanceof SourceError) throw error;
    throw new SourceError("UNREACHABLE", describeCause(error), { cause: error });
  }
}

async function readAnswer(input: ByteQueue): Promise<Head> {
  for (;;) {
    const head = await Head.read(input, "HTTP");
    if (head === undefined) throw new SourceError("UNREACHABLE", "it closes the connection");
    // Skip interim responses such as 100 Continue.
    if (head.status.code >= 200) return head;
  }
}

async function* bodyOf(
  input: ByteQueue,
  head: Head,
): AsyncGenerator<Uint8Array> {
  if (/\bchunked\b/i.test(head.values("transfer-encoding").join())) {
    for (;;) {
      const line = await input.line(1024);
      const length = parseInt(line ?? "", 16);
      if (!(length > 0)) return;
      yield* piece(input, length);
      await input.line(2);
    }
  }
  // A multipart stream has no length, although some cameras send one.
  const multipart = /^multipart\//i.test(head.values("content-type")[0] ?? "");
  yield* piece(input, multipart ? Infinity : head.length ?? Infinity);
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
