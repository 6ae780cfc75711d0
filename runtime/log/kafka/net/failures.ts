// What errors mean: for what is sent again, and for callers of the log.
import { LogError } from "../../log.ts";
import {
  type BrokerError,
  brokerErrors,
  LoginError,
  NetworkError,
  type Outcome,
  REPEATED,
  ResponseError,
  UnsupportedError,
} from "../protocol/errors.ts";

/** Of several errors in one response, that which decides comes first. */
const GRAVITY: readonly Outcome[] = [
  "fatal",
  "fenced",
  "join-as-new",
  "join-with-id",
  "rejoin",
  "put-aside",
  "new-producer-id",
  "look-up-offsets",
  "done",
  "find-leader",
  "find-coordinator",
  "find-controller",
  "retry",
];

/** The error that decides. */
function gravest(errors: readonly BrokerError[]): BrokerError | undefined {
  return errors.toSorted((a, b) => GRAVITY.indexOf(a.outcome) - GRAVITY.indexOf(b.outcome))[0];
}

/** What is to be done about an error. */
export function outcomeOf(error: unknown): Outcome {
  if (error instanceof ResponseError) return gravest(error.errors)!.outcome;
  return error instanceof NetworkError ? "reconnect" : "fatal";
}

/** Whether the same request may succeed when it is sent again. */
export function isRepeatable(error: unknown): boolean {
  return REPEATED.has(outcomeOf(error));
}

/**
 * What a response's errors say, in the broker's words.
 *
 * @example `TOPIC_AUTHORIZATION_FAILED for VideoStreaming: Not authorized to access topics`
 */
export function wordsOf(errors: readonly BrokerError[]): string {
  const texts = errors.map(({ kind: { name, hint }, place, message }) => {
    const about = place === "" ? "" : ` for ${place}`;
    const words = message === undefined ? "" : `: ${sentence(message)}`;
    return `${name}${about}${words}${hint === undefined ? "" : ` (${hint})`}`;
  });
  return [...new Set(texts)].slice(0, 3).join(", ");
}

/**
 * The error as callers of the log know it.
 *
 * @param action what was tried, as the beginning of a sentence: `Cannot append to frames partition 0`.
 * @param brokers the brokers of the log's URL, for people.
 */
export function toLogError(error: unknown, action: string, brokers: string): LogError {
  if (error instanceof LogError) return error;
  if (error instanceof LoginError) {
    // No cause: nothing of the login leaves through it.
    return new LogError(
      "AUTHENTICATION_FAILED",
      `${action}: Kafka at ${brokers} refused the connection: ${error.message}`,
    );
  }
  if (error instanceof UnsupportedError) {
    return new LogError("UNSUPPORTED", `${action}: ${error.message}`, { cause: error });
  }
  if (error instanceof NetworkError) {
    const { broker } = error;
    const advertised = broker !== undefined && !brokers.split(", ").includes(broker);
    const where = broker === undefined ? brokers : broker +
      (advertised ? " (the address that the cluster gives for this broker)" : "");
    return new LogError(
      "UNREACHABLE",
      `${action}: cannot reach Kafka at ${where}: ${sentence(error.message)}`,
      { cause: error },
    );
  }
  const one = gravest(brokerErrors(error));
  if (one === undefined) {
    const reason = error instanceof Error ? sentence(error.message) : String(error);
    return new LogError("INTERNAL", `${action}: ${reason}`, { cause: error });
  }
  const words = wordsOf(brokerErrors(error));
  const text = REPEATED.has(one.outcome) && one.kind.code === "UNREACHABLE"
    ? `${action}: Kafka at ${brokers} is not ready: ${words}`
    : `${action}: Kafka at ${brokers} answered ${words}`;
  return new LogError(one.kind.code, text, { cause: error });
}

/** The text without a full stop, as a part of a sentence. */
export function sentence(text: string): string {
  return text.replace(/[.\s]+$/, "");
}
