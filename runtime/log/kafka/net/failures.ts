// What errors mean for retries and for callers of the log.
import { LogError, type LogErrorCode } from "../../log.ts";
import {
  type BrokerError,
  brokerErrors,
  BrokerFailure,
  LoginError,
  MalformedError,
  NetworkError,
  type Outcome,
  OUTCOMES,
  REPEATED,
  ResponseError,
  ThrottledError,
  UnsupportedError,
} from "../protocol/errors.ts";

/** The error that decides the outcome of a response. */
function decisive(errors: readonly BrokerError[]): BrokerError | undefined {
  const rank = ({ kind }: BrokerError) => OUTCOMES.indexOf(kind.outcome);
  return errors.toSorted((a, b) => rank(a) - rank(b))[0];
}

export function outcomeOf(error: unknown): Outcome {
  if (error instanceof ResponseError) return decisive(error.errors)!.kind.outcome;
  return error instanceof NetworkError ? "reconnect" : "fatal";
}

/** Whether the same request may succeed later. */
export function isRepeatable(error: unknown): boolean {
  return REPEATED.has(outcomeOf(error));
}

/** E.g. `TOPIC_AUTHORIZATION_FAILED for VideoStreaming: Not authorized to access topics`. */
function describe(errors: readonly BrokerError[]): string {
  const texts = errors.map(({ kind: { name, hint }, place, message }) => {
    const about = place === "" ? "" : ` for ${place}`;
    const words = message === undefined ? "" : `: ${sentence(message)}`;
    return `${name}${about}${words}${hint === undefined ? "" : ` (${hint})`}`;
  });
  return [...new Set(texts)].slice(0, 3).join(", ");
}

/**
 * The error for callers of the log.
 *
 * @param action the beginning of the message: `Cannot append to frames partition 0`
 * @param brokers the bootstrap brokers
 */
export function toLogError(error: unknown, action: string, brokers: string): LogError {
  if (error instanceof LogError) return error;
  const reason = error instanceof Error ? sentence(error.message) : String(error);
  const broker = error instanceof BrokerFailure ? error.broker ?? brokers : brokers;
  const kafka = `Kafka at ${broker}`;
  // A refused login may contain secrets.
  const cause = error instanceof LoginError ? undefined : error;
  const made = (code: LogErrorCode, words: string) =>
    new LogError(code, `${action}: ${words}`, { cause });
  if (error instanceof LoginError) {
    return made("AUTHENTICATION_FAILED", `${kafka} refused the connection: ${reason}`);
  }
  if (error instanceof UnsupportedError) return made("UNSUPPORTED", reason);
  if (error instanceof MalformedError) {
    return made("UNREACHABLE", `${kafka} sent a wrong response: ${reason}`);
  }
  if (error instanceof NetworkError) {
    const isBootstrap = broker === brokers || brokers.split(", ").includes(broker);
    const where = isBootstrap ? kafka : `${kafka} (the broker's advertised address)`;
    return made("UNREACHABLE", `cannot reach ${where}: ${reason}`);
  }
  if (error instanceof ThrottledError) {
    return made("UNREACHABLE", `${kafka} delays it: ${reason}`);
  }
  const one = decisive(brokerErrors(error));
  if (one === undefined) return made("INTERNAL", reason);
  const { outcome, code } = one.kind;
  const says = REPEATED.has(outcome) && code === "UNREACHABLE" ? "is not ready:" : "returned";
  return made(code, `${kafka} ${says} ${describe(brokerErrors(error))}`);
}

/** The text without a full stop. */
export function sentence(text: string): string {
  return text.replace(/[.\s]+$/, "");
}
