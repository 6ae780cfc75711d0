// Requests and responses on a connection: each with its length before it.
import type { Call } from "../protocol/api.ts";
import { LoginError, NetworkError } from "../protocol/errors.ts";
import { RequestWriter, ResponseReader } from "../protocol/wire.ts";

/** What this client calls itself. */
export const CLIENT_ID = "framelane";
const LENGTH_BYTES = 4;
/** Responses up to this size are read where they came in; larger ones get memory of their own. */
const SCRATCH_BYTES = 16 * 1024;
/** No response is larger: what says so is not Kafka. */
const MAX_RESPONSE_BYTES = 256 * 1024 * 1024;

/** A request in the pieces in which it goes out. */
export function encodeRequest(
  { key, version, flexible }: Call,
  correlation: number,
  write: (to: RequestWriter) => void,
): readonly Uint8Array[] {
  const lengthUnknown = 0;
  const to = new RequestWriter().int32(lengthUnknown).int16(key).int16(version).int32(correlation);
  to.string(CLIENT_ID, false);
  if (flexible) to.noTags();
  write(to);
  const pieces = to.pieces();
  const { buffer, byteOffset } = pieces[0]!;
  new DataView(buffer, byteOffset).setInt32(0, to.size - LENGTH_BYTES);
  return pieces;
}

/**
 * Reads responses until `read` or `received` throws.
 *
 * @param read fills the memory it is given, at least one byte of it; returns how many.
 * @param received gets each response; its memory may be used again afterwards.
 */
export async function readResponses(
  read: (into: Uint8Array) => Promise<number>,
  received: (response: ResponseReader) => void,
): Promise<never> {
  const scratch = new Uint8Array(SCRATCH_BYTES);
  let filled = 0;
  for (;;) {
    while (filled < LENGTH_BYTES) filled += await read(scratch.subarray(filled));
    const size = sizeOf(scratch);
    const end = LENGTH_BYTES + size;
    if (end <= SCRATCH_BYTES) {
      while (filled < end) filled += await read(scratch.subarray(filled));
      received(new ResponseReader(scratch.subarray(LENGTH_BYTES, end), false));
      scratch.copyWithin(0, end, filled);
      filled -= end;
    } else {
      const response = new Uint8Array(size);
      response.set(scratch.subarray(LENGTH_BYTES, filled));
      for (let at = filled - LENGTH_BYTES; at < size;) at += await read(response.subarray(at));
      filled = 0;
      received(new ResponseReader(response));
    }
  }
}

/** @throws when this cannot be the length of a response. */
function sizeOf(bytes: Uint8Array): number {
  // A TLS record: handshake or alert, version 3.
  if (bytes[0]! >= 0x14 && bytes[0]! <= 0x17 && bytes[1] === 3 && bytes[2]! <= 4) {
    throw new LoginError("the broker wants TLS: add tls=true");
  }
  const size = new DataView(bytes.buffer).getInt32(0);
  if (size < LENGTH_BYTES || size > MAX_RESPONSE_BYTES) {
    throw new NetworkError("what answers is not Kafka");
  }
  return size;
}
