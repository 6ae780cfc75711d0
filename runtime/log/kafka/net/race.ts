// Tries candidates in parallel: the next one starts when the previous one fails or is slow.

export interface RaceOptions<T> {
  /** Delay before the next candidate starts. */
  readonly delayMs: number;
  readonly signal: AbortSignal;
  /** Whether to try another candidate after this error. Default: always. */
  readonly goOn?: (error: unknown) => boolean;
  /** Closes a result that came too late. */
  readonly discard?: (late: T) => void;
}

/**
 * Returns the first success.
 *
 * @param attempt its signal aborts when another candidate has won
 * @throws the first failure if all fail, or one that `goOn` rejects; the signal's reason
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
