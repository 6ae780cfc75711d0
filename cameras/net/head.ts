// The head of an HTTP or RTSP message: its first line and its headers, as tolerant as cameras need.
import { Buffer } from "node:buffer";
import { SourceError } from "../source.ts";
import type { ByteQueue } from "./bytes.ts";

const MOST_BYTES = 64 * 1024;

const FIRST_LINES = {
  HTTP: /^[A-Z]+(?:\/\d(?:\.\d)?)? \d{3}(?: |$)/,
  RTSP: /^(?:RTSP\/\d\.\d \d{3}(?: |$)|[A-Z_]+ (?:rtsps?:|\*))/,
} as const;

/** A head. Its text is Latin-1: one character for each byte, whatever the bytes mean. */
export class Head {
  /** The first line, then the headers as they came. */
  readonly lines: readonly string[];

  private constructor(lines: readonly string[]) {
    this.lines = lines;
  }

  /**
   * Reads a head, after any empty lines.
   *
   * @returns undefined if the input ends first.
   * @throws {SourceError} `UNREACHABLE` if it is cut off, too long, or not of the protocol.
   */
  static async read(
    input: ByteQueue,
    protocol: keyof typeof FIRST_LINES,
  ): Promise<Head | undefined> {
    const lines: string[] = [];
    for (let bytes = 0;;) {
      const line = await input.line(MOST_BYTES);
      if (line === undefined && lines.length === 0 && input.bytes.length === 0) return undefined;
      if (lines.length === 0 && line !== "" && !FIRST_LINES[protocol].test(line ?? "")) {
        throw new SourceError("UNREACHABLE", `it does not speak ${protocol}`);
      }
      bytes += line?.length ?? input.bytes.length;
      if (bytes > MOST_BYTES) {
        throw new SourceError("UNREACHABLE", `its headers exceed ${MOST_BYTES} bytes`);
      }
      if (line === undefined) throw new SourceError("UNREACHABLE", "its answer is cut off");
      if (line !== "") lines.push(line);
      else if (lines.length > 0) return new Head(unfolded(lines));
    }
  }

  /** An answer's status and the words after it; 0 of a request. */
  get status(): { readonly code: number; readonly reason: string } {
    const [, code = 0, reason = ""] = /^\S+ (\d{3})(?: (.*))?$/.exec(this.lines[0]!) ?? [];
    return { code: Number(code), reason };
  }

  /** All values of a header, by its lower-case name. */
  values(name: string): string[] {
    return this.lines.slice(1).flatMap((line) => {
      const colon = line.indexOf(":");
      return line.slice(0, Math.max(0, colon)).trim().toLowerCase() === name
        ? [line.slice(colon + 1).trim()]
        : [];
    });
  }

  /** The length of the body that the headers declare last; undefined without one. */
  get length(): number | undefined {
    const text = this.values("content-length").at(-1) ?? "";
    return /^\d{1,15}$/.test(text) ? Number(text) : undefined;
  }
}

/** Joins lines that begin with a blank to those that they continue. */
function unfolded(lines: readonly string[]): string[] {
  const whole: string[] = [];
  for (const line of lines) {
    if (/^[ \t]/.test(line) && whole.length > 1) whole[whole.length - 1] += ` ${line.trim()}`;
    else whole.push(line);
  }
  return whole;
}

/** The bytes of a head. */
export function encodeHead(lines: readonly string[]): Uint8Array {
  return Buffer.from(`${lines.join("\r\n")}\r\n\r\n`, "latin1");
}
