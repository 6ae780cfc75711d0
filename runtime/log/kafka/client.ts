/**
 * The parts of `@platformatic/kafka` that are used: its errors and compression, and the checksum that
 * it uses. The package's own entry, its connections and its requests load validators, schema
 * registries and clients that nothing here needs, which takes every executor another 200 ms of
 * processor time: see `docs/decisions/kafka-client.md`.
 *
 * @module
 */
// The package exports its entry alone, so its files are named by their paths.
// @ts-types="../../../node_modules/@platformatic/kafka/dist/errors.d.ts"
export {
  AuthenticationError,
  GenericError,
  NetworkError,
  protocolErrorsCodesById,
  ResponseError,
  TimeoutError,
} from "../../../node_modules/@platformatic/kafka/dist/errors.js";
// @ts-types="../../../node_modules/@platformatic/kafka/dist/protocol/compression.d.ts"
export {
  compressionsAlgorithms,
} from "../../../node_modules/@platformatic/kafka/dist/protocol/compression.js";
export { crc32c } from "@platformatic/wasm-utils";
