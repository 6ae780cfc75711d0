// The protocol's error codes: what each is called, and what a client does about it. One table for all
// requests; a request for which a code means something else says so in its own description.
//
// Source: https://kafka.apache.org/protocol.html#protocol_error_codes
import type { LogErrorCode } from "../../log.ts";

/** What a client does about an error. */
export type Outcome =
  /** Sends the same again, to the same broker, a little later. */
  | "retry"
  /** Asks who leads the partition, then sends again. */
  | "find-leader"
  /** Asks who coordinates the group or the transactional id, then sends again. */
  | "find-coordinator"
  /** Asks which broker is the controller, then sends again. */
  | "find-controller"
  /** Connects again, to another broker perhaps. */
  | "reconnect"
  /** Joins the group again. */
  | "rejoin"
  /** Joins the group as a new member: what it had belongs to others. */
  | "join-as-new"
  /** Joins the group again with the member id in the response. */
  | "join-with-id"
  /** Asks which offsets there are. */
  | "look-up-offsets"
  /** Needs another producer id. */
  | "new-producer-id"
  /** Another client took over. */
  | "fenced"
  /** The topic does not take this record: others may continue without it. */
  | "put-aside"
  /** What was asked for is the case already. */
  | "done"
  /** Gives up and reports. */
  | "fatal";

/** An error code of the protocol. */
export interface ErrorKind {
  readonly name: string;
  readonly outcome: Outcome;
  /** What callers of the log see. */
  readonly code: LogErrorCode;
  /** Where to look, if the name alone does not say it. */
  readonly hint?: string | undefined;
}

type Row = readonly [name: string, outcome: Outcome, code?: LogErrorCode];

const ROWS: Readonly<Record<number, Row>> = {
  [-1]: ["UNKNOWN_SERVER_ERROR", "retry"],
  1: ["OFFSET_OUT_OF_RANGE", "look-up-offsets", "OFFSET_OUT_OF_RANGE"],
  2: ["CORRUPT_MESSAGE", "retry"],
  3: ["UNKNOWN_TOPIC_OR_PARTITION", "find-leader", "TOPIC_MISSING"],
  4: ["INVALID_FETCH_SIZE", "fatal"],
  5: ["LEADER_NOT_AVAILABLE", "find-leader"],
  6: ["NOT_LEADER_OR_FOLLOWER", "find-leader"],
  7: ["REQUEST_TIMED_OUT", "retry"],
  8: ["BROKER_NOT_AVAILABLE", "find-leader"],
  9: ["REPLICA_NOT_AVAILABLE", "find-leader"],
  10: ["MESSAGE_TOO_LARGE", "put-aside", "TOO_LARGE"],
  11: ["STALE_CONTROLLER_EPOCH", "find-controller"],
  12: ["OFFSET_METADATA_TOO_LARGE", "fatal", "TOO_LARGE"],
  13: ["NETWORK_EXCEPTION", "retry"],
  14: ["COORDINATOR_LOAD_IN_PROGRESS", "retry"],
  15: ["COORDINATOR_NOT_AVAILABLE", "find-coordinator"],
  16: ["NOT_COORDINATOR", "find-coordinator"],
  17: ["INVALID_TOPIC_EXCEPTION", "fatal", "INVALID"],
  18: ["RECORD_LIST_TOO_LARGE", "put-aside", "TOO_LARGE"],
  19: ["NOT_ENOUGH_REPLICAS", "retry"],
  20: ["NOT_ENOUGH_REPLICAS_AFTER_APPEND", "retry"],
  21: ["INVALID_REQUIRED_ACKS", "fatal", "INVALID"],
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
  32: ["INVALID_TIMESTAMP", "put-aside", "REFUSED"],
  33: ["UNSUPPORTED_SASL_MECHANISM", "fatal", "AUTHENTICATION_FAILED"],
  34: ["ILLEGAL_SASL_STATE", "fatal", "AUTHENTICATION_FAILED"],
  35: ["UNSUPPORTED_VERSION", "fatal", "UNSUPPORTED"],
  36: ["TOPIC_ALREADY_EXISTS", "done", "INVALID"],
  37: ["INVALID_PARTITIONS", "fatal", "INVALID"],
  38: ["INVALID_REPLICATION_FACTOR", "fatal", "INVALID"],
  39: ["INVALID_REPLICA_ASSIGNMENT", "fatal", "INVALID"],
  40: ["INVALID_CONFIG", "fatal", "INVALID"],
  41: ["NOT_CONTROLLER", "find-controller"],
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
  54: ["SECURITY_DISABLED", "fatal"],
  55: ["OPERATION_NOT_ATTEMPTED", "fatal"],
  56: ["KAFKA_STORAGE_ERROR", "find-leader"],
  57: ["LOG_DIR_NOT_FOUND", "fatal"],
  58: ["SASL_AUTHENTICATION_FAILED", "fatal", "AUTHENTICATION_FAILED"],
  59: ["UNKNOWN_PRODUCER_ID", "new-producer-id"],
  60: ["REASSIGNMENT_IN_PROGRESS", "retry"],
  61: ["DELEGATION_TOKEN_AUTH_DISABLED", "fatal"],
  62: ["DELEGATION_TOKEN_NOT_FOUND", "fatal"],
  63: ["DELEGATION_TOKEN_OWNER_MISMATCH", "fatal"],
  64: ["DELEGATION_TOKEN_REQUEST_NOT_ALLOWED", "fatal"],
  65: ["DELEGATION_TOKEN_AUTHORIZATION_FAILED", "fatal", "AUTHENTICATION_FAILED"],
  66: ["DELEGATION_TOKEN_EXPIRED", "fatal", "AUTHENTICATION_FAILED"],
  67: ["INVALID_PRINCIPAL_TYPE", "fatal"],
  68: ["NON_EMPTY_GROUP", "fatal"],
  69: ["GROUP_ID_NOT_FOUND", "fatal"],
  70: ["FETCH_SESSION_ID_NOT_FOUND", "retry"],
  71: ["INVALID_FETCH_SESSION_EPOCH", "retry"],
  72: ["LISTENER_NOT_FOUND", "find-leader"],
  73: ["TOPIC_DELETION_DISABLED", "fatal", "INVALID"],
  74: ["FENCED_LEADER_EPOCH", "find-leader"],
  75: ["UNKNOWN_LEADER_EPOCH", "find-leader"],
  76: ["UNSUPPORTED_COMPRESSION_TYPE", "fatal", "UNSUPPORTED"],
  77: ["STALE_BROKER_EPOCH", "retry"],
  78: ["OFFSET_NOT_AVAILABLE", "retry"],
  79: ["MEMBER_ID_REQUIRED", "join-with-id"],
  80: ["PREFERRED_LEADER_NOT_AVAILABLE", "find-leader"],
  81: ["GROUP_MAX_SIZE_REACHED", "fatal", "INVALID"],
  82: ["FENCED_INSTANCE_ID", "join-as-new", "FENCED"],
  83: ["ELIGIBLE_LEADERS_NOT_AVAILABLE", "find-leader"],
  84: ["ELECTION_NOT_NEEDED", "done"],
  85: ["NO_REASSIGNMENT_IN_PROGRESS", "fatal"],
  86: ["GROUP_SUBSCRIBED_TO_TOPIC", "fatal"],
  87: ["INVALID_RECORD", "put-aside", "REFUSED"],
  88: ["UNSTABLE_OFFSET_COMMIT", "retry"],
  89: ["THROTTLING_QUOTA_EXCEEDED", "retry"],
  90: ["PRODUCER_FENCED", "fenced", "FENCED"],
  91: ["RESOURCE_NOT_FOUND", "fatal"],
  92: ["DUPLICATE_RESOURCE", "fatal"],
  93: ["UNACCEPTABLE_CREDENTIAL", "fatal", "AUTHENTICATION_FAILED"],
  94: ["INCONSISTENT_VOTER_SET", "fatal"],
  95: ["INVALID_UPDATE_VERSION", "fatal"],
  96: ["FEATURE_UPDATE_FAILED", "fatal"],
  97: ["PRINCIPAL_DESERIALIZATION_FAILURE", "fatal"],
  98: ["SNAPSHOT_NOT_FOUND", "fatal"],
  99: ["POSITION_OUT_OF_RANGE", "fatal"],
  100: ["UNKNOWN_TOPIC_ID", "find-leader", "TOPIC_MISSING"],
  101: ["DUPLICATE_BROKER_REGISTRATION", "fatal"],
  102: ["BROKER_ID_NOT_REGISTERED", "fatal"],
  103: ["INCONSISTENT_TOPIC_ID", "find-leader"],
  104: ["INCONSISTENT_CLUSTER_ID", "fatal"],
  105: ["TRANSACTIONAL_ID_NOT_FOUND", "fatal"],
  106: ["FETCH_SESSION_TOPIC_ID_ERROR", "retry"],
  107: ["INELIGIBLE_REPLICA", "find-leader"],
  108: ["NEW_LEADER_ELECTED", "find-leader"],
  109: ["OFFSET_MOVED_TO_TIERED_STORAGE", "look-up-offsets"],
  110: ["FENCED_MEMBER_EPOCH", "join-as-new", "FENCED"],
  111: ["UNRELEASED_INSTANCE_ID", "fatal"],
  112: ["UNSUPPORTED_ASSIGNOR", "fatal", "INVALID"],
  113: ["STALE_MEMBER_EPOCH", "rejoin", "STALE_MEMBERSHIP"],
  114: ["MISMATCHED_ENDPOINT_TYPE", "fatal", "INVALID"],
  115: ["UNSUPPORTED_ENDPOINT_TYPE", "fatal", "INVALID"],
  116: ["UNKNOWN_CONTROLLER_ID", "find-controller"],
  117: ["UNKNOWN_SUBSCRIPTION_ID", "fatal"],
  118: ["TELEMETRY_TOO_LARGE", "fatal"],
  119: ["INVALID_REGISTRATION", "fatal"],
  120: ["TRANSACTION_ABORTABLE", "fatal", "UNREACHABLE"],
  121: ["INVALID_RECORD_STATE", "fatal"],
  122: ["SHARE_SESSION_NOT_FOUND", "fatal"],
  123: ["INVALID_SHARE_SESSION_EPOCH", "fatal"],
  124: ["FENCED_STATE_EPOCH", "fatal"],
  125: ["INVALID_VOTER_KEY", "fatal"],
  126: ["DUPLICATE_VOTER", "fatal"],
  127: ["VOTER_NOT_FOUND", "fatal"],
};

/** Where to look, for errors whose names do not say it. */
const HINTS: Readonly<Record<string, string>> = {
  MESSAGE_TOO_LARGE: "max.message.bytes of the topic limits it",
  OFFSET_METADATA_TOO_LARGE: "the broker's offset.metadata.max.bytes limits it",
  INCONSISTENT_GROUP_PROTOCOL: "other consumers use this group: choose another name",
  INVALID_SESSION_TIMEOUT:
    "the broker's group.min.session.timeout.ms and group.max.session.timeout.ms limit it",
  INVALID_TIMESTAMP:
    "the topic's message.timestamp.before.max.ms and message.timestamp.after.max.ms limit it",
  GROUP_MAX_SIZE_REACHED: "the broker's group.max.size limits the members of a group",
};

/** Outcomes after which `Cluster.attempt` sends the request again. */
export const REPEATED: ReadonlySet<Outcome> = new Set<Outcome>([
  "retry",
  "find-leader",
  "find-coordinator",
  "find-controller",
  "reconnect",
]);

const KINDS: ReadonlyMap<number, ErrorKind> = new Map(
  Object.entries(ROWS).map(([number, [name, outcome, code]]) => [Number(number), {
    name,
    outcome,
    code: code ?? (REPEATED.has(outcome) ? "UNREACHABLE" : "INTERNAL"),
    hint: HINTS[name],
  }]),
);

/** What an error code means; one that is not in the table is fatal under its number. */
export function errorKind(code: number): ErrorKind {
  return KINDS.get(code) ?? { name: `error ${code}`, outcome: "fatal", code: "INTERNAL" };
}

/** One error of a response. */
export interface BrokerError {
  readonly kind: ErrorKind;
  readonly outcome: Outcome;
  /** What it is about: a topic, `topic/partition`, a group. Empty if it is about all of the request. */
  readonly place: string;
  /** The broker's own words. */
  readonly message?: string;
}

/** A broker answered, and refused at least a part of what was asked. */
export class ResponseError extends Error {
  override readonly name = "ResponseError";
  readonly errors: readonly BrokerError[];
  /** The whole response. */
  readonly response: unknown;

  constructor(request: string, errors: readonly BrokerError[], response: unknown) {
    super(`${request} failed: ${[...new Set(errors.map(({ kind }) => kind.name))].join(", ")}`);
    this.errors = errors;
    this.response = response;
  }
}

/** A broker cannot be reached, or the connection to it is lost; the message says why, as the end of a sentence. */
export class NetworkError extends Error {
  override readonly name: string = "NetworkError";
  /** The broker, if it is known: `host:port`. */
  broker?: string;
}

/** A broker closed the connection. */
export class ClosedError extends NetworkError {}

/** A broker did not answer in time. */
export class TimeoutError extends NetworkError {
  override readonly name = "TimeoutError";
}

/** A login or a TLS handshake failed; the message says why, as the end of a sentence. */
export class LoginError extends Error {
  override readonly name = "LoginError";
}

/** A broker does not know a request, or none of the versions of it that are spoken here. */
export class UnsupportedError extends Error {
  override readonly name = "UnsupportedError";
}

/** A broker wants no requests over a connection for now. */
export class ThrottledError extends Error {
  override readonly name = "ThrottledError";
  readonly ms: number;

  constructor(ms: number) {
    super(
      `the broker wants no requests for ${Math.ceil(ms)} ms: a quota of this client is used up`,
    );
    this.ms = ms;
  }
}

/** The errors of a response, wherever they are inside an error. */
export function brokerErrors(error: unknown): readonly BrokerError[] {
  for (let one = error; one instanceof Error; one = one.cause) {
    if (one instanceof ResponseError) return one.errors;
  }
  return [];
}

/** The names of those errors, e.g. `NOT_LEADER_OR_FOLLOWER`. */
export function errorNames(error: unknown): string[] {
  return brokerErrors(error).map(({ kind }) => kind.name);
}
