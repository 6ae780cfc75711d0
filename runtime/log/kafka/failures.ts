/**
 * What the errors of the Kafka client and of brokers mean.
 *
 * @module
 */
import { GenericError, NetworkError } from "./client.ts";
import { LogError, type LogErrorCode } from "../log.ts";

/** Names of the protocol errors inside an error of the client, e.g. `NOT_LEADER_OR_FOLLOWER`. */
export function protocolErrors(error: unknown): string[] {
  const found: string[] = [];
  visit(error, (one) => {
    if (typeof one.apiId === "string" && one.apiId !== "NONE") found.push(one.apiId);
  });
  return found;
}

interface Detail {
  readonly apiId?: unknown;
  readonly code?: unknown;
  readonly message?: unknown;
  readonly errors?: readonly unknown[];
  readonly cause?: unknown;
}

function visit(error: unknown, see: (one: Detail) => void, depth = 0): void {
  if (typeof error !== "object" || error === null || depth > 8) return;
  const one = error as Detail;
  see(one);
  for (const inner of one.errors ?? []) visit(inner, see, depth + 1);
  visit(one.cause, see, depth + 1);
}

/** What a caller does about an error. */
export type Remedy =
  /** Ask again soon: an election, a load, a transaction that is being completed. */
  | "wait"
  /** Ask for the leader or coordinator anew, then ask again. */
  | "look-up"
  /** Dial again, another broker perhaps. */
  | "dial"
  /** Give up. */
  | "none";

const LOOK_UP = new Set([
  "UNKNOWN_TOPIC_OR_PARTITION",
  "UNKNOWN_TOPIC_ID",
  "INCONSISTENT_TOPIC_ID",
  "LEADER_NOT_AVAILABLE",
  "NOT_LEADER_OR_FOLLOWER",
  "FENCED_LEADER_EPOCH",
  "UNKNOWN_LEADER_EPOCH",
  "REPLICA_NOT_AVAILABLE",
  "KAFKA_STORAGE_ERROR",
  "COORDINATOR_NOT_AVAILABLE",
  "NOT_COORDINATOR",
  "NOT_CONTROLLER",
]);
const WAIT = new Set([
  "COORDINATOR_LOAD_IN_PROGRESS",
  "CONCURRENT_TRANSACTIONS",
  "UNSTABLE_OFFSET_COMMIT",
  "NOT_ENOUGH_REPLICAS",
  "NOT_ENOUGH_REPLICAS_AFTER_APPEND",
  "REQUEST_TIMED_OUT",
  "OFFSET_NOT_AVAILABLE",
  "NETWORK_EXCEPTION",
  "BROKER_NOT_AVAILABLE",
  "THROTTLING_QUOTA_EXCEEDED",
]);

/** What helps against an error. */
export function remedyOf(error: unknown): Remedy {
  if (error instanceof LogError) return "none";
  const names = protocolErrors(error);
  if (names.length > 0) {
    if (names.every((name) => LOOK_UP.has(name) || WAIT.has(name))) {
      return names.some((name) => LOOK_UP.has(name)) ? "look-up" : "wait";
    }
    return "none";
  }
  return isNetwork(error) && authenticationProblem(error) === undefined ? "dial" : "none";
}

function isNetwork(error: unknown): boolean {
  return GenericError.isGenericError(error as Error) &&
    (error as GenericError).findBy("code", NetworkError.code) !== null;
}

const CODES: Readonly<Record<string, LogErrorCode>> = {
  MESSAGE_TOO_LARGE: "TOO_LARGE",
  RECORD_LIST_TOO_LARGE: "TOO_LARGE",
  OFFSET_METADATA_TOO_LARGE: "TOO_LARGE",
  UNKNOWN_TOPIC_OR_PARTITION: "TOPIC_MISSING",
  UNKNOWN_TOPIC_ID: "TOPIC_MISSING",
  INVALID_TOPIC_EXCEPTION: "INVALID",
  INVALID_PARTITIONS: "INVALID",
  INVALID_REPLICATION_FACTOR: "INVALID",
  INVALID_CONFIG: "INVALID",
  INVALID_GROUP_ID: "INVALID",
  INVALID_TIMESTAMP: "INVALID",
  INVALID_SESSION_TIMEOUT: "INVALID",
  INVALID_TRANSACTION_TIMEOUT: "INVALID",
  INCONSISTENT_GROUP_PROTOCOL: "INVALID",
  POLICY_VIOLATION: "INVALID",
  UNSUPPORTED_VERSION: "INVALID",
  PRODUCER_FENCED: "FENCED",
  INVALID_PRODUCER_EPOCH: "FENCED",
  INVALID_PRODUCER_ID_MAPPING: "FENCED",
  TRANSACTION_COORDINATOR_FENCED: "FENCED",
  FENCED_INSTANCE_ID: "FENCED",
  UNKNOWN_MEMBER_ID: "FENCED",
  ILLEGAL_GENERATION: "STALE_MEMBERSHIP",
  REBALANCE_IN_PROGRESS: "STALE_MEMBERSHIP",
  TOPIC_AUTHORIZATION_FAILED: "AUTHENTICATION_FAILED",
  GROUP_AUTHORIZATION_FAILED: "AUTHENTICATION_FAILED",
  CLUSTER_AUTHORIZATION_FAILED: "AUTHENTICATION_FAILED",
  TRANSACTIONAL_ID_AUTHORIZATION_FAILED: "AUTHENTICATION_FAILED",
  SASL_AUTHENTICATION_FAILED: "AUTHENTICATION_FAILED",
};

/** What to look at, where the name alone does not say it. */
const HINTS: Readonly<Record<string, string>> = {
  INVALID_SESSION_TIMEOUT:
    " (the broker's group.min.session.timeout.ms and group.max.session.timeout.ms bound it)",
  MESSAGE_TOO_LARGE: " (max.message.bytes of the topic bounds it)",
  OFFSET_METADATA_TOO_LARGE: " (the broker's offset.metadata.max.bytes bounds it)",
  INCONSISTENT_GROUP_PROTOCOL: " (other consumers share this group: take another name)",
};

/** Who wins when a response carries several errors. */
const GRAVITY: readonly LogErrorCode[] = [
  "AUTHENTICATION_FAILED",
  "FENCED",
  "STALE_MEMBERSHIP",
  "TOO_LARGE",
  "INVALID",
  "TOPIC_MISSING",
];

/**
 * The error as callers of the log know it.
 *
 * @param action what was tried, as the beginning of a sentence: `Cannot append to frames partition 0`.
 * @param where the brokers that were asked.
 */
export function toLogError(error: unknown, action: string, where: string): LogError {
  if (error instanceof LogError) return error;
  const authentication = authenticationProblem(error);
  if (authentication !== undefined) {
    // No cause: nothing that the client remembers of the login leaves through it.
    return new LogError(
      "AUTHENTICATION_FAILED",
      `${action}: Kafka at ${where} refused the connection: ${authentication}`,
    );
  }
  const names = protocolErrors(error);
  const codes = names.map((name) => CODES[name]).filter((code) => code !== undefined);
  const code = GRAVITY.find((candidate) => codes.includes(candidate));
  const told = [...new Set(names)].map((name) => name + (HINTS[name] ?? "")).join(", ");
  if (code !== undefined) {
    return new LogError(code, `${action}: Kafka at ${where} answered ${told}`, { cause: error });
  }
  if (remedyOf(error) !== "none") {
    return new LogError(
      "UNREACHABLE",
      names.length > 0
        ? `${action}: Kafka at ${where} is not ready: ${told}`
        : `${action}: cannot reach Kafka at ${where}: ${networkReason(error)}`,
      { cause: error },
    );
  }
  const reason = told || (error instanceof Error ? sentence(error.message) : String(error));
  return new LogError("INTERNAL", `${action}: ${reason}`, { cause: error });
}

/** Why a login or a TLS handshake failed; undefined when that is not what happened. */
function authenticationProblem(error: unknown): string | undefined {
  let problem: string | undefined;
  visit(error, ({ code, message, apiId }) => {
    const text = typeof message === "string" ? message : "";
    if (text.startsWith("Cannot find a suitable SASL mechanism")) {
      problem ??= "it does not take this SASL mechanism here, or it wants TLS";
    } else if (apiId === "SASL_AUTHENTICATION_FAILED" || code === "PLT_KFK_AUTHENTICATION") {
      problem ??= "user name or password is wrong";
    } else if (text === "Broker requires TLS.") {
      problem = "the broker wants TLS: add tls=true";
    } else if (/TLS handshake failed|corrupt message|InvalidContentType/i.test(text)) {
      problem = "the broker does not speak TLS on this port";
    } else if (/certificate|altnames/i.test(text)) {
      problem ??= `its TLS certificate is not accepted: ${
        sentence(text).replace(/^The broker's certificate: /, "")
      }`;
    }
  });
  return problem;
}

/** True when the broker's certificate is to blame, for whatever reason. */
export function isCertificateProblem(error: unknown): boolean {
  return authenticationProblem(error)?.startsWith("its TLS certificate") ?? false;
}

function networkReason(error: unknown): string {
  let reason = "it closed the connection";
  visit(error, ({ code, message }) => {
    if (code === "ECONNREFUSED") reason = "connection refused";
    else if (code === "ENOTFOUND" || code === "EAI_AGAIN") reason = "unknown host";
    else if (typeof message === "string" && /timed out/i.test(message)) {
      reason = "no answer in time";
    }
  });
  return reason;
}

function sentence(text: string): string {
  return text.replace(/[.\s]+$/, "");
}
