// Posts a body to a URL: signed, with retries.
import { createHmac } from "node:crypto";
import type { Clock } from "../base/clock.ts";
import { Backoff } from "../base/wait.ts";

export interface DeliveryOptions {
  readonly url: URL;
  /** Signs the bodies if set. */
  readonly secret?: string;
  readonly clock: Clock;
  /** Retries after the first try. */
  readonly retries: number;
  /** Time limit of a try. */
  readonly timeoutMs: number;
}

/** Why a body was not delivered. */
export interface Refusal {
  readonly tries: number;
  readonly reason: string;
}

/** Longest delay between tries. */
const MAX_DELAY_MS = 30_000;

/** Statuses to retry, besides all from 500 on. */
const LATER = new Set([408, 425, 429]);

/**
 * Posts a body until it is accepted, rejected permanently, or the retries are used up.
 *
 * @param id the same for the same body, so that the receiver can detect repetitions
 * @returns undefined if it was accepted
 * @throws the signal's reason if it aborts.
 */
export async function deliver(
  options: DeliveryOptions,
  id: string,
  body: string,
  signal: AbortSignal,
): Promise<Refusal | undefined> {
  const { clock, retries } = options;
  const backoff = new Backoff({ minDelayMs: 500, maxDelayMs: MAX_DELAY_MS });
  for (let tries = 1;; tries++) {
    const { reason, again, waitMs = 0 } = await tryOnce(options, id, body, signal);
    if (reason === undefined) return undefined;
    if (!again || tries > retries) return { tries, reason };
    await clock.sleep(Math.max(backoff.next(), Math.min(waitMs, MAX_DELAY_MS)), signal);
  }
}

async function tryOnce(
  options: DeliveryOptions,
  id: string,
  body: string,
  signal: AbortSignal,
): Promise<{ reason?: string; again?: boolean; waitMs?: number }> {
  const { url, timeoutMs, clock } = options;
  signal.throwIfAborted();
  const limit = new AbortController();
  const timer = setTimeout(() => limit.abort(), timeoutMs);
  try {
    const response = await fetch(url, {
      method: "POST",
      headers: {
        "content-type": "application/json",
        "user-agent": "framelane",
        "x-framelane-delivery": id,
        ...signatureOf(body, options),
      },
      body,
      // Do not send the body to another address.
      redirect: "manual",
      signal: AbortSignal.any([signal, limit.signal]),
    });
    await response.body?.cancel();
    if (response.ok) return {};
    const again = response.status >= 500 || LATER.has(response.status);
    // Seconds, or a date.
    const after = response.headers.get("retry-after") ?? "";
    const waitMs = Number(after) * 1000 || Date.parse(after) - clock.now() || 0;
    return { reason: `status ${response.status}`, again, waitMs };
  } catch (error) {
    signal.throwIfAborted();
    if (limit.signal.aborted) return { reason: `no answer in ${timeoutMs} ms`, again: true };
    if (error instanceof Deno.errors.NotCapable) throw error;
    // The message names the address, which may hold a secret.
    return { reason: reasonOf(error), again: true };
  } finally {
    clearTimeout(timer);
  }
}

/** Proves the sender and the time: HMAC-SHA256 of `TIMESTAMP.BODY`, hexadecimal. */
function signatureOf(
  body: string,
  { secret, clock }: DeliveryOptions,
): Record<string, string> {
  if (secret === undefined) return {};
  const timestamp = String(clock.now());
  const digest = createHmac("sha256", secret).update(`${timestamp}.${body}`).digest("hex");
  return {
    "x-framelane-timestamp": timestamp,
    "x-framelane-signature": `sha256=${digest}`,
  };
}

function reasonOf(error: unknown): string {
  let text = "";
  for (let one = error; one instanceof Error; one = one.cause) text += `${one.message}\n`;
  const cause =
    /(connection refused|dns error|reset by peer|timed out|invalid peer certificate|unreachable)/i
      .exec(text)?.[1];
  return cause === undefined ? "the connection failed" : cause.toLowerCase();
}
