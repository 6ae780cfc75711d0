// Bounded, ordered prefetching.
import { Notifier } from "../runtime/base/wait.ts";

/**
 * Runs `produce` in the background and yields what comes of the promises that it pushes, in order; not
 * what is undefined. At most `depth` of them are pending or unread: `push` waits for a free slot.
 *
 * @param produce pushes promises. When it returns, the iteration ends after the last of them; if it
 * or one of them throws, the iteration throws. Its signal aborts if the reader stops early; the
 * iteration ends only after `produce` has returned.
 */
export async function* prefetch<T>(
  depth: number,
  produce: (
    push: (item: Promise<T | undefined>) => Promise<void>,
    signal: AbortSignal,
  ) => Promise<void>,
): AsyncGenerator<T, void, undefined> {
  const stop = new AbortController();
  const items: Promise<T | undefined>[] = [];
  const changed = new Notifier();
  let ended = false;
  let failure: { readonly error: unknown } | undefined;

  const push = async (item: Promise<T | undefined>) => {
    // The reader gets the failure in order; until then the rejection has no handler.
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
      if (value !== undefined) yield value;
    }
    if (failure !== undefined) throw failure.error;
  } finally {
    stop.abort();
    changed.notify();
    await producing;
    await Promise.allSettled(items);
  }
}
