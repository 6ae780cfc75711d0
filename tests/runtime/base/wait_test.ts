import assert from "node:assert/strict";
import type { Clock } from "../../../runtime/base/clock.ts";
import { LogError } from "../../../runtime/log/log.ts";
import {
  Backoff,
  DeadlineError,
  isRetryable,
  Notifier,
  retry,
  Semaphore,
  withDeadline,
} from "../../../runtime/base/wait.ts";

/** A clock on which sleeping is noted and takes no time. */
function noting(): Clock & { readonly slept: number[] } {
  const slept: number[] = [];
  return {
    slept,
    now: () => 0,
    monotonic: () => 0,
    sleep(ms, signal) {
      signal?.throwIfAborted();
      slept.push(ms);
      return Promise.resolve();
    },
  };
}

/** Until it is disposed of, all random numbers are this one. */
function random(value: number): Disposable {
  const { random } = Math;
  Math.random = () => value;
  return { [Symbol.dispose]: () => void (Math.random = random) };
}

const away = () => new LogError("UNREACHABLE", "Cannot reach it");

Deno.test("retry: tries again until it works, with growing delays", async () => {
  using _ = random(1);
  const clock = noting();
  const told: [number, number][] = [];
  let calls = 0;
  const result = await retry(() => {
    if (++calls < 7) throw away();
    return "done";
  }, {
    clock,
    minDelayMs: 100,
    maxDelayMs: 1_000,
    onRetry: (error, tries, delayMs) => {
      assert.ok(error instanceof LogError);
      told.push([tries, delayMs]);
    },
  });
  assert.equal(result, "done");
  assert.deepEqual(clock.slept, [100, 200, 400, 800, 1_000, 1_000]);
  assert.deepEqual(told, clock.slept.map((ms, i) => [i + 1, ms]));
});

Deno.test("retry: jitter takes up to half of the delay away", async () => {
  using _ = random(0);
  const clock = noting();
  let calls = 0;
  await retry(() => ++calls < 3 ? Promise.reject(away()) : Promise.resolve(), {
    clock,
  });
  assert.deepEqual(clock.slept, [50, 100]);
});

Deno.test("retry: other errors are thrown at once", async () => {
  const clock = noting();
  const error = new LogError("TOPIC_MISSING", "Cannot find it");
  await assert.rejects(retry(() => Promise.reject(error), { clock }), (got) => got === error);
  await assert.rejects(
    retry(() => Promise.reject("no error"), { clock }),
    (got) => got === "no error",
  );
  assert.deepEqual(clock.slept, []);
  assert.equal(isRetryable(null), false);
  assert.equal(isRetryable({ retryable: "yes" }), false);
});

Deno.test("retry: an abort ends it with its reason", async () => {
  const controller = new AbortController();
  const reason = new Error("Stop");
  const clock = noting();
  let calls = 0;
  await assert.rejects(
    retry(() => {
      if (++calls === 3) controller.abort(reason);
      throw away();
    }, { clock, signal: controller.signal }),
    (got) => got === reason,
  );
  assert.equal(calls, 3);
  await assert.rejects(
    retry(() => calls++, { signal: controller.signal }),
    (got) => got === reason,
  );
  assert.equal(calls, 3);
});

Deno.test("Backoff: delays double up to the longest, half of each is jitter, reset begins again", () => {
  using _ = random(0);
  const backoff = new Backoff({ minDelayMs: 100, maxDelayMs: 350 });
  assert.deepEqual([1, 2, 3, 4].map(() => backoff.next()), [50, 100, 175, 175]);
  assert.equal(backoff.failures, 4);
  backoff.reset();
  assert.equal(backoff.next(), 50);
});

Deno.test("withDeadline: aborts what takes too long, and leaves no timer behind", async () => {
  let seen: AbortSignal | undefined;
  await assert.rejects(
    withDeadline("Asking", 1, (signal) => {
      seen = signal;
      return new Promise(() => {});
    }),
    (error) => error instanceof DeadlineError && error.message === "Asking took longer than 1 ms",
  );
  assert.ok(seen?.aborted);
  assert.equal(await withDeadline("Asking", 60_000, () => Promise.resolve(42)), 42);
  const stop = new AbortController();
  const stopped = withDeadline("Asking", 60_000, () => new Promise(() => {}), stop);
  stop.abort(new Error("Enough"));
  await assert.rejects(stopped, /Enough/);
});

Deno.test("Notifier: wakes all waiters of now, and none that come later", async () => {
  const changed = new Notifier();
  changed.notify();
  const both = Promise.all([changed.wait(), changed.wait()]);
  changed.notify();
  await both;
  await assert.rejects(changed.wait(AbortSignal.abort(new Error("Enough"))), /Enough/);
});

Deno.test("Semaphore: at most as many at once as it has permits, in order, also when one fails or gives up", async () => {
  const semaphore = new Semaphore(1);
  const order: number[] = [];
  const first = Promise.withResolvers<void>();
  const one = semaphore.run(async () => {
    await first.promise;
    throw new Error("Broken");
  });
  const stop = new AbortController();
  const two = semaphore.run(() => void order.push(2), stop.signal);
  const three = semaphore.run(() => void order.push(3));
  stop.abort(new Error("Enough"));
  first.resolve();
  await assert.rejects(one, /Broken/);
  await assert.rejects(two, /Enough/);
  await three;
  await semaphore.run(() => void order.push(4));
  assert.deepEqual(order, [3, 4]);
});
