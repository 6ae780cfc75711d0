// The records inside a batch.
import type { Frame, Headers } from "../../../definition/frame.ts";
import { asciiText, keyText } from "./key.ts";

export const NO_HEADERS: Headers = Object.freeze({});
export const NO_VALUE = new Uint8Array(0);
const text = new TextDecoder();

export interface BatchHead {
  readonly base: number;
  readonly firstTimestamp: number;
  /** The broker's time, for topics with `message.timestamp.type=LogAppendTime`. */
  readonly appendTime: number | undefined;
}

/** Size of a frame in a buffer; headers may be as large as pictures. */
export function weightOf({ value, key, headers }: Frame): number {
  let weight = value.length + (key?.length ?? 0);
  for (const name in headers) weight += name.length + headers[name]!.length;
  return weight;
}

/** Reads the records of a batch. */
export class RecordCursor {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** The next record; undefined if its offset is below `from`. */
  frame(
    { base, firstTimestamp, appendTime }: BatchHead,
    { topic, partition }: { readonly topic: string; readonly partition: number },
    from: number,
  ): Frame | undefined {
    const end = this.#varint() + this.#at;
    this.#at++;
    const timestamp = firstTimestamp + this.#varint();
    const offset = base + this.#varint();
    if (offset < from) {
      this.#at = end;
      return undefined;
    }
    const key = this.#take();
    const value = this.#take();
    const headers = this.#headers();
    this.#at = end;
    return {
      topic,
      partition,
      offset,
      timestamp: appendTime ?? timestamp,
      key: key === null ? null : keyText(key),
      headers,
      value: value ?? NO_VALUE,
    };
  }

  #headers(): Headers {
    const count = this.#varint();
    if (count <= 0) return NO_HEADERS;
    const headers: Record<string, string> = {};
    for (let i = 0; i < count; i++) {
      const name = this.#text();
      const value = this.#text();
      // An assignment would set the object's prototype.
      if (name === "__proto__") Object.defineProperty(headers, name, { value, enumerable: true });
      else headers[name] = value;
    }
    return headers;
  }

  #text(): string {
    const bytes = this.#take();
    return bytes === null ? "" : asciiText(bytes) ?? text.decode(bytes);
  }

  #take(): Uint8Array<ArrayBuffer> | null {
    const length = this.#varint();
    if (length < 0) return null;
    if (this.#at + length > this.#bytes.length) throw new RangeError("it ends inside a record");
    const { buffer, byteOffset } = this.#bytes;
    const bytes = new Uint8Array(buffer as ArrayBuffer, byteOffset + this.#at, length);
    this.#at += length;
    return bytes;
  }

  #varint(): number {
    let shift = 1;
    let rest = 0;
    for (;;) {
      const byte = this.#bytes[this.#at++];
      if (byte === undefined) throw new RangeError("it ends inside a record");
      rest += (byte & 127) * shift;
      if (byte < 128) break;
      shift *= 128;
    }
    return rest % 2 === 0 ? rest / 2 : -(rest + 1) / 2;
  }
}
