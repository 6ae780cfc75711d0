// Bytes and fields of the scripted broker's messages.
import { NO_ID } from "../../runtime/log/kafka/protocol/topics.ts";
import type { RequestWriter } from "../../runtime/log/kafka/protocol/wire.ts";

export interface Body {
  readonly topics?:
    | readonly {
      readonly name: string;
      readonly topicId?: string;
      readonly partitions?: readonly { readonly batches?: Uint8Array }[];
    }[]
    | null;
  readonly [field: string]: unknown;
}

/** The first name in a request. */
export function nameIn(value: unknown): string {
  if (typeof value === "string" && value !== "") return value;
  if (typeof value !== "object" || value === null || ArrayBuffer.isView(value)) return "";
  for (const inner of Object.values(value)) {
    const name = nameIn(inner);
    if (name !== "" && name !== NO_ID) return name;
  }
  return "";
}

/** Sets the innermost error codes. */
export function inject(value: unknown, code: number): boolean {
  if (Array.isArray(value)) return value.map((item) => inject(item, code)).includes(true);
  if (typeof value !== "object" || value === null || ArrayBuffer.isView(value)) return false;
  const inner = Object.values(value).map((one) => inject(one, code)).includes(true);
  if (inner || !("errorCode" in value)) return inner;
  value.errorCode = code;
  return true;
}

/** A topic's name as its id: 16 characters at most. */
export function idOf(name: string): string {
  return [...name].map((letter) => letter.charCodeAt(0).toString(16)).join("").padEnd(32, "0");
}

export function nameOf(id: string): string {
  return (id.match(/../g) ?? []).map((pair) => String.fromCharCode(parseInt(pair, 16))).join("")
    .replaceAll("\0", "");
}

export async function take(from: Deno.Conn, size: number): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = new Uint8Array(size);
  for (let at = 0; at < size;) {
    const count = await from.read(bytes.subarray(at));
    if (count === null) throw new Error("The client has gone");
    at += count;
  }
  return bytes;
}

export function joined(to: RequestWriter): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(to.size);
  let at = 0;
  for (const piece of to.pieces()) {
    bytes.set(piece, at);
    at += piece.length;
  }
  return bytes;
}

export function closeQuietly(connection: Deno.Conn): void {
  try {
    connection.close();
  } catch {
    // Closed already.
  }
}
