// Work ahead of the reader, within bounds, in order.
import { Notifier } from "../runtime/base/wait.ts";

/**
 * Runs `produce` in the background and gives what its pushed promises resolve to, in the order of
 * pushing. At most `depth` of them are unfinished or unread: `push` waits for a free place.
 *
 * @param produce pushes promises; when it returns, the iteration ends after the last of them; when
 * it or one of them throws, the iteration throws. Its signal aborts when the reader stops early;
 * the iteration ends only after it returned.
 */
export async function* prefetch<T>(
  depth: number,
  produce: (push: (item: Promise<T>) => Promise<void>, signal: AbortSignal) => Promise<void>,
): AsyncGenerator<T, void, undefined> {
  const stop = new AbortController();
  const items: Promise<T>[] = [];
  const changed = new Notifier();
  let ended = false;
  let failure: { readonly error: unknown } | undefined;

  const push = async (item: Promise<T>) => {
    // The reader gets the failure in its turn.
    item.catch(() => {});
    while (items.length >= depth && !stop.signal.aborted) await changed.wait();
    items.push(item);
    changed.notify();
  };
  const producing = produce(push, stop.signal).catch((error) => {
    failure = { error };
  }).finally(() => {
    ended = true;
    changed.notify();
  });
  try {
    for (;;) {
      while (items.length === 0 && !ended) await changed.wait();
      const item = items[0];
      if (item === undefined) break;
      const value = await item;
      items.shift();
      changed.notify();
      yield value;
    }
    if (failure !== undefined) throw failure.error;
  } finally {
    stop.abort();
    changed.notify();
    await producing;
    await Promise.allSettled(items);
  }
}
