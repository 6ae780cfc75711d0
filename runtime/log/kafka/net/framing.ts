// Frames requests and responses: each is preceded by its length.
import type { Call } from "../protocol/api.ts";
import { LoginError, NetworkError } from "../protocol/errors.ts";
import { RequestWriter, ResponseReader } from "../protocol/wire.ts";

export const CLIENT_ID = "framelane";
const LENGTH_BYTES = 4;
/** Responses up to this size share one buffer; larger ones get their own. */
const SCRATCH_BYTES = 16 * 1024;
const MAX_RESPONSE_BYTES = 256 * 1024 * 1024;

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
  let large: Uint8Array<ArrayBuffer> | undefined;
  let filled = 0;
  for (let wanted = LENGTH_BYTES;;) {
    while (filled < wanted) {
      const count = await read((large ?? scratch).subarray(filled));
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
    const end = LENGTH_BYTES + sizeOf(scratch);
    if (end > SCRATCH_BYTES) {
      large = new Uint8Array(end - LENGTH_BYTES);
      large.set(scratch.subarray(LENGTH_BYTES, filled));
      filled -= LENGTH_BYTES;
      wanted = large.length;
    } else if (filled < end) {
      wanted = end;
    } else {
      received(new ResponseReader(scratch.subarray(LENGTH_BYTES, end), false));
      scratch.copyWithin(0, end, filled);
      filled -= end;
      wanted = LENGTH_BYTES;
    }
  }
}

function sizeOf(bytes: Uint8Array): number {
  // A TLS record: handshake or alert, version 3.
  if (bytes[0]! >= 0x14 && bytes[0]! <= 0x17 && bytes[1] === 3 && bytes[2]! <= 4) {
    throw new LoginError("the broker requires TLS: add tls=true");
  }
  const size = new DataView(bytes.buffer).getInt32(0);
  if (size < LENGTH_BYTES || size > MAX_RESPONSE_BYTES) {
    throw new NetworkError("the server is not a Kafka broker");
  }
  return size;
}
