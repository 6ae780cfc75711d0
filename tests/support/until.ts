// Waiting for something that happens elsewhere.
import assert from "node:assert/strict";

/**
 * How long a test waits for what must happen. Only a test that fails ever waits so long: on a machine
 * with much else to do everything takes many times as long as it does elsewhere.
 */
export const PATIENCE_MS = 120_000;

/** Waits until a condition holds; fails with `what` after a long time. */
export async function until(
  what: string,
  condition: () => boolean | Promise<boolean>,
): Promise<void> {
  const deadline = performance.now() + PATIENCE_MS;
  while (!await condition()) {
    assert.ok(performance.now() < deadline, `Waited in vain: ${what}`);
    await new Promise((next) => setTimeout(next, 10));
  }
}
