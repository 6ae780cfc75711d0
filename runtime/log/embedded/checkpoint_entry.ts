/**
 * Entries of a checkpoint: `offsets/N` holds the offsets of batch N, `commits/N` marks it as done. Each is
 * text:
 *
 * ```
 * v1 89abcdef
 * {"batchId":7,…}
 * ```
 * The first line holds the format version and the CRC-32 of the second line, which is the content as JSON. See docs/checkpoint-format.md.
 *
 * @module
 */
import { shown } from "../../base/options.ts";
import { crc32 } from "node:zlib";
import { corrupt, newer } from "../checkpoint_plan.ts";
import type { BatchRange, Checkpoint } from "../log.ts";

const checkpointVersion = 1;

/** The largest state, bytes. */
export const maxStateBytes = 1 << 20;

export function encodeEntry(content: Readonly<Record<string, unknown>>): string {
  const json = JSON.stringify(content);
  return `v${checkpointVersion} ${sum(json)}\n${json}`;
}

/**
 * @param name where it stands, for messages, e.g. `commits/7 of query greyscale on VideoStreaming/0`.
 * @throws {LogError} `CHECKPOINT_NEWER`, `CHECKPOINT_CORRUPT`.
 */
export function decodeEntry(entry: unknown, name: string): Record<string, unknown> {
  if (typeof entry !== "string") throw corrupt(name, "it is not text");
  const match = /^v([1-9]\d{0,8}) ([0-9a-f]{8})\n(.*)$/s.exec(entry);
  if (match === null) throw corrupt(name, "it has no version and checksum");
  const [, version, checksum, json] = match as unknown as [string, string, string, string];
  if (Number(version) > checkpointVersion) {
    throw newer(name, Number(version), checkpointVersion);
  }
  if (sum(json) !== checksum) throw corrupt(name, "its checksum does not match");
  try {
    const content: unknown = JSON.parse(json);
    if (typeof content === "object" && content !== null) return content as Record<string, unknown>;
  } catch (error) {
    throw corrupt(name, "it is not JSON", error);
  }
  throw corrupt(name, "it is not an object");
}

/** `offsets/N`. */
export function encodeBatch({ batchId, start, end }: BatchRange): string {
  return encodeEntry({ batchId, start, end });
}

/** @throws {LogError} `CHECKPOINT_NEWER`, `CHECKPOINT_CORRUPT`. */
export function decodeBatch(entry: unknown, name: string): BatchRange {
  const content = decodeEntry(entry, name);
  return {
    batchId: whole(content, "batchId", name),
    start: whole(content, "start", name),
    end: whole(content, "end", name),
  };
}

/** `commits/N`. */
export function encodeCheckpoint({ batchId, end, restart, state }: Checkpoint): string {
  return encodeEntry({ batchId, end, restart, state: state?.toBase64() });
}

/** @throws {LogError} `CHECKPOINT_NEWER`, `CHECKPOINT_CORRUPT`. */
export function decodeCheckpoint(entry: unknown, name: string): Checkpoint {
  const content = decodeEntry(entry, name);
  const { state } = content;
  if (state !== undefined && typeof state !== "string") {
    throw corrupt(name, "its state is not text");
  }
  return {
    batchId: whole(content, "batchId", name),
    end: whole(content, "end", name),
    restart: whole(content, "restart", name),
    ...(state === undefined ? {} : { state: bytesOf(state, name) }),
  };
}

function bytesOf(base64: string, name: string): Uint8Array {
  try {
    return Uint8Array.fromBase64(base64);
  } catch (error) {
    throw corrupt(name, "its state is not Base64", error);
  }
}

export function whole(content: Record<string, unknown>, field: string, name: string): number {
  const value = content[field];
  if (typeof value === "number" && Number.isSafeInteger(value) && value >= 0) return value;
  throw corrupt(name, `its ${field} is ${shown(value)}`);
}

export function textOf(content: Record<string, unknown>, field: string, name: string): string {
  const value = content[field];
  if (typeof value === "string" && value !== "") return value;
  throw corrupt(name, `its ${field} is ${shown(value)}`);
}

function sum(json: string): string {
  return crc32(json).toString(16).padStart(8, "0");
}
