// Trying candidates side by side: the next one begins when the one before has failed, or is slow.

/** How candidates are tried. */
export interface RaceOptions<T> {
  /** How long one may take until the next one begins beside it, milliseconds. */
  readonly delayMs: number;
  readonly signal: AbortSignal;
  /** Whether another candidate may help after this error. Default: always. */
  readonly goOn?: (error: unknown) => boolean;
  /** Takes what comes when the race is over, to close it. */
  readonly discard?: (late: T) => void;
}

/**
 * The first success.
 *
 * @param attempt gets a signal that aborts when another candidate has won, or the caller's signal aborts: it
 * closes what it opened then.
 * @throws the first failure when all fail, or one that ends the race; the signal's reason.
 */
export function firstOf<C, T>(
  candidates: readonly C[],
  attempt: (candidate: C, signal: AbortSignal) => Promise<T>,
  { delayMs, signal, goOn = () => true, discard = () => {} }: RaceOptions<T>,
): Promise<T> {
  const end = new AbortController();
  const { promise, resolve, reject } = Promise.withResolvers<T>();
  let over = false;
  const fail = (error: unknown) => {
    over = true;
    reject(error);
  };
  const abort = () => fail(signal.reason);
  if (signal.aborted) abort();
  signal.addEventListener("abort", abort, { once: true });
  let timer: ReturnType<typeof setTimeout> | undefined;
  let running = 0;
  let begun = 0;
  let problem: unknown;
  const next = () => {
    clearTimeout(timer);
    if (end.signal.aborted) return;
    if (begun === candidates.length) {
      if (running === 0) fail(problem);
      return;
    }
    running++;
    const candidate = candidates[begun++]!;
    if (begun < candidates.length) timer = setTimeout(next, delayMs);
    attempt(candidate, end.signal).then((value) => {
      if (over) return discard(value);
      over = true;
      resolve(value);
    }, (error) => {
      running--;
      problem ??= error;
      if (goOn(error)) next();
      else fail(error);
    });
  };
  next();
  return promise.finally(() => {
    clearTimeout(timer);
    signal.removeEventListener("abort", abort);
    end.abort(signal.aborted ? signal.reason : new Error("Another candidate was faster"));
  });
}
