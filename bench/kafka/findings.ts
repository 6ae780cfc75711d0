/**
 * What follows from the figures of a sweep, in words.
 *
 * @module
 */
import { escape } from "./charts.ts";
import { best, costOf, savedBy, whole } from "./ranking.ts";
import type { Summary } from "./tables.ts";

/** Which setting is the fastest. */
export function fastWords(summaries: readonly Summary[]): string {
  const rate = (one: Summary) => one.producer.messagesPerSecond.median;
  const fast = best(summaries, rate);
  const slow = best(summaries, (one) => -rate(one));
  return `<strong>${escape(fast.name)}</strong> brings ${
    whole(rate(fast))
  } frames a second into the log, ${(rate(fast) / rate(slow)).toFixed(1)} times what ${
    escape(slow.name)
  } does (${whole(rate(slow))}).`;
}

/** With which a frame is there the soonest. */
export function soonWords(summaries: readonly Summary[]): string {
  const soon = best(summaries, (one) => -one.liveEndP50.median);
  const late = best(summaries, (one) => one.liveEndP50.median);
  return `With ${escape(soon.name)} half of the frames are read within ${
    soon.liveEndP50.median.toFixed(1)
  } ms, with ${escape(late.name)} within ${late.liveEndP50.median.toFixed(1)} ms.`;
}

/** What a frame costs, and what compression saves. */
export function costWords(summaries: readonly Summary[]): string {
  const cheap = best(summaries, (one) => -costOf(one));
  const dear = best(summaries, costOf);
  const saved = best(summaries, (one) => one.frameBytes - one.wireBytes);
  const share = savedBy(saved);
  return `A frame costs ${costOf(cheap).toFixed(2)} ms of a core with ${escape(cheap.name)} and ${
    costOf(dear).toFixed(2)
  } ms with ${escape(dear.name)}. ${
    share === undefined
      ? "No compression saves anything on these JPEGs."
      : `The most that compression saves on these JPEGs is ${share.toFixed(1)} % (${
        escape(saved.name)
      }).`
  }`;
}

/** Whether all frames came through as they were. */
export function checkWords(summaries: readonly Summary[]): string {
  const errors = summaries.reduce((sum, one) => sum + one.errors, 0);
  const unread = summaries.reduce((sum, one) => sum + one.unread, 0);
  return `Every frame that was read was compared in number and length: ${errors} lost, doubled, reordered, changed or
  retried, ${unread} left unread.`;
}
