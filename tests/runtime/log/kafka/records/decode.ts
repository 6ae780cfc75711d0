import {
  BatchDecoder,
  type BatchSource,
  type Decoded,
  type FrameLimit,
} from "../../../../../runtime/log/kafka/records/decoder.ts";

/** What comes first out of the batches. */
export function decodeBatches(
  bytes: Uint8Array,
  { limit, ...source }: BatchSource & { readonly limit: FrameLimit },
): Decoded {
  return new BatchDecoder(bytes, source).take(limit);
}
