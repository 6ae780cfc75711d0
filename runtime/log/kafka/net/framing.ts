// Frames requests and responses: each is preceded by its length.
import type { Call } from "../protocol/api.ts";
import { LoginError, NetworkError } from "../protocol/errors.ts";
import { RequestWriter, ResponseReader } from "../protocol/wire.ts";

export const CLIENT_ID = "framelane";
const CLIENT_ID_BYTES = new TextEncoder().encode(CLIENT_ID);
const LENGTH_BYTES = 4;
/** Responses up to this size share one buffer; larger ones get their own. */
const SCRATCH_BYTES = 64 * 1024;
const MAX_RESPONSE_BYTES = 256 * 1024 * 1024;

export function encodeRequest(
  to: RequestWriter,
  { key, version, flexible }: Call,
  correlation: number,
  write: (to: RequestWriter) => void,
): readonly Uint8Array[] {
  const lengthUnknown = 0;
  to.int32(lengthUnknown).int16(key).int16(version).int32(correlation);
  to.int16(CLIENT_ID_BYTES.length).raw(CLIENT_ID_BYTES);
  if (flexible) to.noTags();
  write(to);
  const pieces = to.pieces();
  const size = to.size - LENGTH_BYTES;
  for (let at = 0; at < LENGTH_BYTES; at++) pieces[0]![at] = size >>> (24 - 8 * at);
  return pieces;
}

/**
 * Reads responses until the broker closes the connection, or `read` or `received` throws.
 *
 * @param read reads at least one byte; returns how many, null at the end
 * @param moved called with the number of bytes received
 * @param received must copy what it keeps of the response
 */
export async function readResponses(
  read: (into: Uint8Array) => Promise<number | null>,
  moved: (bytes: number) => void,
  received: (response: ResponseReader) => void,
): Promise<void> {
  const scratch = new Uint8Array(SCRATCH_BYTES);
  const shared = new ResponseReader(scratch, false);
  let large: Uint8Array<ArrayBuffer> | undefined;
  let filled = 0;
  for (let wanted = LENGTH_BYTES;;) {
    while (filled < wanted) {
      const into = large ?? scratch;
      const count = await read(filled === 0 ? into : into.subarray(filled));
      if (count === null) return;
      moved(count);
      filled += count;
    }
    if (large !== undefined) {
      received(new ResponseReader(large));
      large = undefined;
      filled = 0;
      wanted = LENGTH_BYTES;
      continue;
    }
    const end = LENGTH_BYTES + sizeOf(scratch, shared.moveTo(0, LENGTH_BYTES).int32());
    if (end > SCRATCH_BYTES) {
      large = new Uint8Array(end - LENGTH_BYTES);
      large.set(scratch.subarray(LENGTH_BYTES, filled));
      filled -= LENGTH_BYTES;
      wanted = large.length;
    } else if (filled < end) {
      wanted = end;
    } else {
      received(shared.moveTo(LENGTH_BYTES, end));
      if (filled > end) scratch.copyWithin(0, end, filled);
      filled -= end;
      wanted = LENGTH_BYTES;
    }
  }
}

function sizeOf(bytes: Uint8Array, size: number): number {
  // A TLS record: handshake or alert, version 3.
  if (bytes[0]! >= 0x14 && bytes[0]! <= 0x17 && bytes[1] === 3 && bytes[2]! <= 4) {
    throw new LoginError("the broker requires TLS: add tls=true");
  }
  if (size < LENGTH_BYTES || size > MAX_RESPONSE_BYTES) {
    throw new NetworkError("the server is not a Kafka broker");
  }
  return size;
}
