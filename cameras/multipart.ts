/**
 * `multipart/x-mixed-replace`: the parts of a body that goes on and on.
 *
 * @module
 */
import { SourceError } from "./source.ts";

/** A part: its headers, names in small letters, and its body on memory of its own. */
export interface Part {
  readonly headers: ReadonlyMap<string, string>;
  readonly body: Uint8Array;
}

/** Headers of a part that are longer than this are none. */
const MOST_HEADER_BYTES = 16 * 1024;
const CRLF = new Uint8Array([13, 10]);
const LF = new Uint8Array([10]);

/**
 * The boundary that a `content-type` names, as it stands before each part.
 *
 * @returns undefined when it is no multipart type.
 */
export function boundaryOf(contentType: string): string | undefined {
  if (!/^\s*multipart\//i.test(contentType)) return undefined;
  const match = /;\s*boundary=(?:"([^"]+)"|([^\s;]+))/i.exec(contentType);
  const boundary = match?.[1] ?? match?.[2];
  if (boundary === undefined) return undefined;
  // Many cameras count the two hyphens into the name.
  return boundary.startsWith("--") ? boundary : `--${boundary}`;
}

/**
 * Splits a body into its parts. A part with a `content-length` is taken at its word; others end
 * where the next boundary stands.
 *
 * @throws {SourceError} when a part is larger than `maxBytes` or the body is no multipart one.
 */
export async function* parts(
  chunks: AsyncIterable<Uint8Array>,
  boundary: string,
  maxBytes: number,
): AsyncGenerator<Part, void, undefined> {
  const input = new ByteQueue(chunks);
  const mark = new TextEncoder().encode(boundary);
  // What stands before the first boundary means nothing.
  if (await input.until(mark, MOST_HEADER_BYTES) === undefined) {
    throw new SourceError("CORRUPT", `Cannot find the boundary ${JSON.stringify(boundary)}`);
  }
  for (;;) {
    const rest = await input.until(LF, MOST_HEADER_BYTES);
    // Two hyphens after the boundary end the body; so does the end of the connection.
    if (rest === undefined || (rest[0] === 45 && rest[1] === 45)) return;
    const headers = await readHeaders(input);
    if (headers === undefined) return;
    const length = Number(headers.get("content-length") ?? NaN);
    if (length > maxBytes) throw tooLarge(length, maxBytes);
    let body: Uint8Array | undefined;
    if (length >= 0) {
      body = await input.take(length);
      if (body === undefined || await input.until(mark, MOST_HEADER_BYTES) === undefined) {
        if (body !== undefined) yield { headers, body };
        return;
      }
    } else {
      body = await input.until(mark, maxBytes);
      if (body === undefined) return;
      body = withoutLineEnd(body);
    }
    yield { headers, body };
  }
}

async function readHeaders(input: ByteQueue): Promise<Map<string, string> | undefined> {
  const headers = new Map<string, string>();
  for (let bytes = 0;;) {
    const line = await input.until(LF, MOST_HEADER_BYTES);
    if (line === undefined) return undefined;
    bytes += line.length + LF.length;
    if (bytes > MOST_HEADER_BYTES) {
      throw new SourceError(
        "CORRUPT",
        `Cannot read a part with headers of more than ${MOST_HEADER_BYTES} bytes`,
        { retryable: true },
      );
    }
    const text = new TextDecoder().decode(line).trim();
    if (text === "") return headers;
    const colon = text.indexOf(":");
    if (colon > 0) {
      headers.set(text.slice(0, colon).toLowerCase().trim(), text.slice(colon + 1).trim());
    }
  }
}

function withoutLineEnd(body: Uint8Array): Uint8Array {
  const end = body.length;
  if (end >= 2 && body[end - 2] === CRLF[0] && body[end - 1] === CRLF[1]) return body.slice(0, -2);
  return end >= 1 && body[end - 1] === LF[0] ? body.slice(0, -1) : body;
}

function tooLarge(bytes: number, most: number): SourceError {
  return new SourceError(
    "CORRUPT",
    `Cannot take an image of ${bytes} bytes or more: at most ${most} are accepted`,
    { retryable: true },
  );
}

/** Bytes that arrive in chunks and leave in other pieces. */
class ByteQueue {
  readonly #chunks: AsyncIterator<Uint8Array>;
  #buffer = new Uint8Array(64 * 1024);
  #start = 0;
  #end = 0;

  constructor(chunks: AsyncIterable<Uint8Array>) {
    this.#chunks = chunks[Symbol.asyncIterator]();
  }

  /** So many bytes; undefined when the input ends before. */
  async take(length: number): Promise<Uint8Array | undefined> {
    while (this.#end - this.#start < length) if (!await this.#more()) return undefined;
    const bytes = this.#buffer.slice(this.#start, this.#start + length);
    this.#start += length;
    return bytes;
  }

  /** What stands before the mark, which is taken too; undefined when the input ends before. */
  async until(mark: Uint8Array, most: number): Promise<Uint8Array | undefined> {
    let from = this.#start;
    for (;;) {
      const at = this.#find(mark, from);
      if (at >= 0) {
        const bytes = this.#buffer.slice(this.#start, at);
        this.#start = at + mark.length;
        return bytes;
      }
      const searched = this.#end - this.#start;
      if (searched > most + mark.length) throw tooLarge(searched, most);
      if (!await this.#more()) return undefined;
      // The mark may have begun in what was there.
      from = this.#start + Math.max(0, searched - mark.length + 1);
    }
  }

  #find(mark: Uint8Array, from: number): number {
    const last = this.#end - mark.length;
    for (let at = from;; at++) {
      at = this.#buffer.indexOf(mark[0]!, at);
      if (at < 0 || at > last) return -1;
      let same = 1;
      while (same < mark.length && this.#buffer[at + same] === mark[same]) same++;
      if (same === mark.length) return at;
    }
  }

  async #more(): Promise<boolean> {
    const { value, done } = await this.#chunks.next();
    if (done) return false;
    const used = this.#end - this.#start;
    if (this.#end + value.length > this.#buffer.length) {
      const space = used + value.length;
      const target = space <= this.#buffer.length
        ? this.#buffer
        : new Uint8Array(2 ** Math.ceil(Math.log2(space)));
      target.set(this.#buffer.subarray(this.#start, this.#end));
      this.#buffer = target;
      this.#start = 0;
      this.#end = used;
    }
    this.#buffer.set(value, this.#end);
    this.#end += value.length;
    return true;
  }
}
