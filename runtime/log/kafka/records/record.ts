// The records inside a batch.
import type { Frame, Headers } from "../../../definition/frame.ts";
import { frameTime } from "../../checks.ts";
import { asciiText, isAscii, keyText } from "./key.ts";

export const NO_HEADERS: Headers = Object.freeze({});
export const NO_VALUE = new Uint8Array(0);
const decoder = new TextDecoder();
const decode = (bytes: Uint8Array) => decoder.decode(bytes);
/** Texts at later places of a record are not kept. */
const KEPT_PLACES = 64;
const INSIDE = "it ends inside a record";

export interface BatchHead {
  readonly base: number;
  readonly firstTimestamp: number;
  /** The broker's time, for topics with `message.timestamp.type=LogAppendTime`. */
  readonly appendTime: number | undefined;
}

/** Reads the records of a batch. */
export class RecordCursor {
  readonly #bytes: Uint8Array;
  readonly #texts: string[];
  #at: number;
  readonly #end: number;

  /** @param texts of the partition's last record, by their place: most are the same in the next one */
  constructor(bytes: Uint8Array, texts: string[] = [], from = 0, end = bytes.length) {
    this.#bytes = bytes;
    this.#texts = texts;
    this.#at = from;
    this.#end = end;
  }

  /** The next record; undefined if its offset is below `from`. */
  frame(
    { base, firstTimestamp, appendTime }: BatchHead,
    { topic, partition }: { readonly topic: string; readonly partition: number },
    from: number,
  ): Frame | undefined {
    const length = this.#varint();
    const end = this.#at + length;
    if (length < 0) throw new RangeError(INSIDE);
    this.#at++;
    const created = firstTimestamp + this.#varint();
    const offset = base + this.#varint();
    if (offset < from) {
      this.#at = end;
      return undefined;
    }
    const key = this.#text(0, keyText);
    const value = this.#value();
    const headers = this.#headers();
    this.#at = end;
    const timestamp = frameTime(appendTime ?? created);
    return { topic, partition, offset, timestamp, key, headers, value };
  }

  #headers(): Headers {
    const count = this.#varint();
    if (count <= 0) return NO_HEADERS;
    const headers: Record<string, string> = {};
    for (let i = 0; i < count; i++) {
      const name = this.#text(2 * i + 1, decode) ?? "";
      const value = this.#text(2 * i + 2, decode) ?? "";
      // An assignment would set the object's prototype.
      if (name === "__proto__") Object.defineProperty(headers, name, { value, enumerable: true });
      else headers[name] = value;
    }
    return headers;
  }

  #text(place: number, otherwise: (bytes: Uint8Array) => string): string | null {
    const length = this.#varint();
    if (length < 0) return null;
    const from = this.#pass(length);
    const last = this.#texts[place];
    if (last !== undefined && isAscii(last, this.#bytes, from, this.#at)) return last;
    const text = asciiText(this.#bytes, from, this.#at);
    if (text === undefined) return otherwise(this.#bytes.subarray(from, this.#at));
    if (place < KEPT_PLACES) this.#texts[place] = text;
    return text;
  }

  #value(): Uint8Array<ArrayBuffer> {
    const length = this.#varint();
    if (length < 0) return NO_VALUE;
    const { buffer, byteOffset } = this.#bytes;
    return new Uint8Array(buffer as ArrayBuffer, byteOffset + this.#pass(length), length);
  }

  #pass(length: number): number {
    const at = this.#at;
    // Not a number after a varint of hundreds of bytes.
    if (!(at + length <= this.#end)) throw new RangeError(INSIDE);
    this.#at = at + length;
    return at;
  }

  #varint(): number {
    let shift = 1;
    let rest = 0;
    for (;;) {
      const byte = this.#at < this.#end ? this.#bytes[this.#at++] : undefined;
      if (byte === undefined) throw new RangeError(INSIDE);
      rest += (byte & 127) * shift;
      if (byte < 128) break;
      shift *= 128;
    }
    return rest % 2 === 0 ? rest / 2 : -(rest + 1) / 2;
  }
}
