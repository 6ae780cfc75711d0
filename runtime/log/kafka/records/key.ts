// Keys as strings. Binary keys are kept byte by byte, so that output records have the same key.
import { Buffer } from "node:buffer";

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Bytes from 0x80 of a binary key become lone surrogates, which UTF-8 never contains. */
const RAW = 0xdc00;

/** Longer texts are decoded faster by the decoder. */
const SHORT = 64;

/** The text of short ASCII, in a fifth of the time that a decoder takes; undefined for any other. */
export function asciiText(bytes: Uint8Array, from = 0, end = bytes.length): string | undefined {
  if (end - from > SHORT) return undefined;
  let text = "";
  for (let at = from; at < end; at++) {
    const byte = bytes[at]!;
    if (byte > 0x7f) return undefined;
    text += String.fromCharCode(byte);
  }
  return text;
}

/** Whether these bytes are this ASCII text. */
export function isAscii(text: string, bytes: Uint8Array, from: number, end: number): boolean {
  if (text.length !== end - from) return false;
  for (let at = from; at < end; at++) {
    if (text.charCodeAt(at - from) !== bytes[at]) return false;
  }
  return true;
}

export function keyText(bytes: Uint8Array): string {
  try {
    return asciiText(bytes) ?? utf8.decode(bytes);
  } catch {
    return Array.from(bytes, (byte) => String.fromCharCode(byte < 0x80 ? byte : RAW + byte))
      .join("");
  }
}

export function keyBytes(key: string): Uint8Array {
  if (!/^[\0-\x7f\udc80-\udcff]*[\udc80-\udcff][\0-\x7f\udc80-\udcff]*$/.test(key)) {
    return Buffer.from(key);
  }
  return Uint8Array.from(key, (letter) => letter.charCodeAt(0) & 0xff);
}
