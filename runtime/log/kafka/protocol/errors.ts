// Error codes of the protocol, and what the client does about each.
//
// Source: https://kafka.apache.org/protocol.html#protocol_error_codes
import type { LogErrorCode } from "../../log.ts";

/** What the client does about an error; of several errors in a response the first of these decides. */
export const OUTCOMES = [
  "fatal",
  "fenced",
  /** Joins the group as a new member, without its partitions. */
  "join-as-new",
  /** Joins the group with the member id in the response. */
  "join-with-id",
  "rejoin",
  /** The topic rejects this record: the others may be written without it. */
  "reject-record",
  "new-producer-id",
  "look-up-offsets",
  /** The request's effect exists already. */
  "done",
  /** Looks up leaders, coordinators and the controller again, then retries. */
  "look-up",
  /** Connects again, perhaps to another broker. */
  "reconnect",
  "retry",
] as const;
export type Outcome = typeof OUTCOMES[number];

/** An error code of the protocol. */
export interface ErrorKind {
  readonly name: string;
  readonly outcome: Outcome;
  /** Code of the `LogError`. */
  readonly code: LogErrorCode;
  /** Which setting to look at. */
  readonly hint?: string | undefined;
}

type Row = readonly [name: string, outcome: Outcome, code?: LogErrorCode];

/** Codes that the requests of this client can return. */
const ROWS: Readonly<Record<number, Row>> = {
  [-1]: ["UNKNOWN_SERVER_ERROR", "retry"],
  1: ["OFFSET_OUT_OF_RANGE", "look-up-offsets", "OFFSET_OUT_OF_RANGE"],
  2: ["CORRUPT_MESSAGE", "retry"],
  3: ["UNKNOWN_TOPIC_OR_PARTITION", "look-up", "TOPIC_MISSING"],
  5: ["LEADER_NOT_AVAILABLE", "look-up"],
  6: ["NOT_LEADER_OR_FOLLOWER", "look-up"],
  7: ["REQUEST_TIMED_OUT", "retry"],
  8: ["BROKER_NOT_AVAILABLE", "look-up"],
  9: ["REPLICA_NOT_AVAILABLE", "look-up"],
  10: ["MESSAGE_TOO_LARGE", "reject-record", "TOO_LARGE"],
  12: ["OFFSET_METADATA_TOO_LARGE", "fatal", "TOO_LARGE"],
  14: ["COORDINATOR_LOAD_IN_PROGRESS", "retry"],
  15: ["COORDINATOR_NOT_AVAILABLE", "look-up"],
  16: ["NOT_COORDINATOR", "look-up"],
  17: ["INVALID_TOPIC_EXCEPTION", "fatal", "INVALID"],
  18: ["RECORD_LIST_TOO_LARGE", "reject-record", "TOO_LARGE"],
  19: ["NOT_ENOUGH_REPLICAS", "retry"],
  20: ["NOT_ENOUGH_REPLICAS_AFTER_APPEND", "retry"],
  22: ["ILLEGAL_GENERATION", "rejoin", "STALE_MEMBERSHIP"],
  23: ["INCONSISTENT_GROUP_PROTOCOL", "fatal", "INVALID"],
  24: ["INVALID_GROUP_ID", "fatal", "INVALID"],
  25: ["UNKNOWN_MEMBER_ID", "join-as-new", "FENCED"],
  26: ["INVALID_SESSION_TIMEOUT", "fatal", "INVALID"],
  27: ["REBALANCE_IN_PROGRESS", "rejoin", "STALE_MEMBERSHIP"],
  28: ["INVALID_COMMIT_OFFSET_SIZE", "fatal", "TOO_LARGE"],
  29: ["TOPIC_AUTHORIZATION_FAILED", "fatal", "AUTHENTICATION_FAILED"],
  30: ["GROUP_AUTHORIZATION_FAILED", "fatal", "AUTHENTICATION_FAILED"],
  31: ["CLUSTER_AUTHORIZATION_FAILED", "fatal", "AUTHENTICATION_FAILED"],
  32: ["INVALID_TIMESTAMP", "reject-record", "REFUSED"],
  33: ["UNSUPPORTED_SASL_MECHANISM", "fatal", "AUTHENTICATION_FAILED"],
  34: ["ILLEGAL_SASL_STATE", "fatal", "AUTHENTICATION_FAILED"],
  35: ["UNSUPPORTED_VERSION", "fatal", "UNSUPPORTED"],
  36: ["TOPIC_ALREADY_EXISTS", "done", "INVALID"],
  37: ["INVALID_PARTITIONS", "fatal", "INVALID"],
  // Fewer brokers live than the topic needs, as while one restarts.
  38: ["INVALID_REPLICATION_FACTOR", "look-up"],
  40: ["INVALID_CONFIG", "fatal", "INVALID"],
  41: ["NOT_CONTROLLER", "look-up"],
  42: ["INVALID_REQUEST", "fatal", "INVALID"],
  43: ["UNSUPPORTED_FOR_MESSAGE_FORMAT", "fatal", "UNSUPPORTED"],
  44: ["POLICY_VIOLATION", "fatal", "INVALID"],
  45: ["OUT_OF_ORDER_SEQUENCE_NUMBER", "new-producer-id"],
  46: ["DUPLICATE_SEQUENCE_NUMBER", "done"],
  47: ["INVALID_PRODUCER_EPOCH", "fenced", "FENCED"],
  48: ["INVALID_TXN_STATE", "fatal"],
  49: ["INVALID_PRODUCER_ID_MAPPING", "new-producer-id"],
  50: ["INVALID_TRANSACTION_TIMEOUT", "fatal", "INVALID"],
  51: ["CONCURRENT_TRANSACTIONS", "retry"],
  52: ["TRANSACTION_COORDINATOR_FENCED", "fenced", "FENCED"],
  53: ["TRANSACTIONAL_ID_AUTHORIZATION_FAILED", "fatal", "AUTHENTICATION_FAILED"],
  55: ["OPERATION_NOT_ATTEMPTED", "fatal"],
  56: ["KAFKA_STORAGE_ERROR", "look-up"],
  58: ["SASL_AUTHENTICATION_FAILED", "fatal", "AUTHENTICATION_FAILED"],
  59: ["UNKNOWN_PRODUCER_ID", "new-producer-id"],
  69: ["GROUP_ID_NOT_FOUND", "fatal"],
  72: ["LISTENER_NOT_FOUND", "look-up"],
  74: ["FENCED_LEADER_EPOCH", "look-up"],
  75: ["UNKNOWN_LEADER_EPOCH", "look-up"],
  76: ["UNSUPPORTED_COMPRESSION_TYPE", "fatal", "UNSUPPORTED"],
  78: ["OFFSET_NOT_AVAILABLE", "retry"],
  79: ["MEMBER_ID_REQUIRED", "join-with-id"],
  81: ["GROUP_MAX_SIZE_REACHED", "fatal", "INVALID"],
  87: ["INVALID_RECORD", "reject-record", "REFUSED"],
  88: ["UNSTABLE_OFFSET_COMMIT", "retry"],
  89: ["THROTTLING_QUOTA_EXCEEDED", "retry"],
  90: ["PRODUCER_FENCED", "fenced", "FENCED"],
  100: ["UNKNOWN_TOPIC_ID", "look-up", "TOPIC_MISSING"],
  103: ["INCONSISTENT_TOPIC_ID", "look-up"],
  105: ["TRANSACTIONAL_ID_NOT_FOUND", "fatal"],
  109: ["OFFSET_MOVED_TO_TIERED_STORAGE", "look-up-offsets"],
  120: ["TRANSACTION_ABORTABLE", "fatal", "UNREACHABLE"],
};

const HINTS: Readonly<Record<string, string>> = {
  MESSAGE_TOO_LARGE: "max.message.bytes of the topic limits it",
  OFFSET_METADATA_TOO_LARGE: "the broker's offset.metadata.max.bytes limits it",
  INCONSISTENT_GROUP_PROTOCOL: "other consumers use this group: choose another name",
  INVALID_SESSION_TIMEOUT:
    "the broker's group.min.session.timeout.ms and group.max.session.timeout.ms limit it",
  INVALID_REPLICATION_FACTOR: "fewer brokers live than a topic has replicas",
  INVALID_TIMESTAMP:
    "the topic's message.timestamp.before.max.ms and message.timestamp.after.max.ms limit it",
  GROUP_MAX_SIZE_REACHED: "the broker's group.max.size limits the members of a group",
};

/** Outcomes after which `attempt` retries. */
export const REPEATED: ReadonlySet<Outcome> = new Set<Outcome>([
  "retry",
  "look-up",
  "reconnect",
]);

const KINDS: ReadonlyMap<number, ErrorKind> = new Map(
  Object.entries(ROWS).map(([number, [name, outcome, code]]) => [Number(number), {
    name,
    outcome,
    code: code ?? (REPEATED.has(outcome) ? "UNREACHABLE" : "INTERNAL"),
    hint: name.endsWith("_AUTHORIZATION_FAILED") ? "this user lacks a permission" : HINTS[name],
  }]),
);

/** Codes that are not in the table are fatal. */
export function errorKind(code: number): ErrorKind {
  return KINDS.get(code) ?? { name: `error ${code}`, outcome: "fatal", code: "INTERNAL" };
}

/** One error of a response. */
export interface BrokerError {
  readonly kind: ErrorKind;
  /** Topic, `topic/partition` or group; empty for the whole request. */
  readonly place: string;
  readonly message?: string;
}

/** A failure of one broker; its message continues a sentence. */
export class BrokerFailure extends Error {
  /** `host:port`, if known. */
  broker?: string;
}

/** The response contains errors. */
export class ResponseError extends BrokerFailure {
  override readonly name = "ResponseError";
  readonly errors: readonly BrokerError[];
  readonly response: unknown;

  constructor(errors: readonly BrokerError[], response?: unknown) {
    super([...new Set(errors.map(({ kind }) => kind.name))].join(", "));
    this.errors = errors;
    this.response = response;
  }
}

/** The broker cannot be reached, or the connection is lost. */
export class NetworkError extends BrokerFailure {
  override readonly name: string = "NetworkError";
}

/** The response cannot be decoded, or does not fit the request. */
export class MalformedError extends NetworkError {}

/** The login or the TLS handshake failed. */
export class LoginError extends BrokerFailure {
  override readonly name = "LoginError";
}

/** The broker does not support a request, or none of its versions used here. */
export class UnsupportedError extends BrokerFailure {
  override readonly name = "UnsupportedError";
}

/** The client has exceeded a quota. */
export class ThrottledError extends Error {
  override readonly name = "ThrottledError";
  readonly ms: number;

  constructor(ms: number) {
    super(`a quota of this client is exceeded: no requests are accepted for ${Math.ceil(ms)} ms`);
    this.ms = ms;
  }
}

/** The errors of the response that caused an error. */
export function brokerErrors(error: unknown): readonly BrokerError[] {
  for (let one = error; one instanceof Error; one = one.cause) {
    if (one instanceof ResponseError) return one.errors;
  }
  return [];
}

/** E.g. `NOT_LEADER_OR_FOLLOWER`. */
export function errorNames(error: unknown): string[] {
  return brokerErrors(error).map(({ kind }) => kind.name);
}
