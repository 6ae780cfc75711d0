/**
 * The parts of `@platformatic/kafka` that are used: its connections and its requests. The package's
 * own entry also loads schema registries and clients that nothing here needs, which takes every
 * executor another 100 ms of processor time: see `docs/decisions/kafka-client.md`.
 *
 * @module
 */
// The package exports its entry alone, so its files are named by their paths.
// @ts-types="../../../node_modules/@platformatic/kafka/dist/apis/index.d.ts"
export * from "../../../node_modules/@platformatic/kafka/dist/apis/index.js";
// @ts-types="../../../node_modules/@platformatic/kafka/dist/clients/consumer/consumer-protocol.d.ts"
export {
  decodeConsumerProtocolAssignment,
  decodeConsumerProtocolSubscription,
  encodeConsumerProtocolAssignment,
  encodeConsumerProtocolSubscription,
} from "../../../node_modules/@platformatic/kafka/dist/clients/consumer/consumer-protocol.js";
// @ts-types="../../../node_modules/@platformatic/kafka/dist/errors.d.ts"
export {
  GenericError,
  NetworkError,
} from "../../../node_modules/@platformatic/kafka/dist/errors.js";
// @ts-types="../../../node_modules/@platformatic/kafka/dist/network/connection.d.ts"
export { Connection } from "../../../node_modules/@platformatic/kafka/dist/network/connection.js";
// @ts-types="../../../node_modules/@platformatic/kafka/dist/protocol/compression.d.ts"
export {
  compressionsAlgorithms,
  compressionsAlgorithmsByBitmask,
} from "../../../node_modules/@platformatic/kafka/dist/protocol/compression.js";
// @ts-types="../../../node_modules/@platformatic/kafka/dist/protocol/crc32c.d.ts"
export { crc32c } from "../../../node_modules/@platformatic/kafka/dist/protocol/crc32c.js";
// @ts-types="../../../node_modules/@platformatic/kafka/dist/protocol/errors.d.ts"
export { protocolErrorsCodesById } from "../../../node_modules/@platformatic/kafka/dist/protocol/errors.js";
// @ts-types="../../../node_modules/@platformatic/kafka/dist/protocol/writer.d.ts"
export { Writer } from "../../../node_modules/@platformatic/kafka/dist/protocol/writer.js";
