/**
 * Sixteen cameras. With FRAMELANE_TEST_EVIL each partition from 8 on does one kind of wrong at every
 * 40th frame; partition 8 has bad bytes instead.
 */
import { foreachBatch, type Frame, query, topic } from "../../../runtime/mod.ts";
import { greyscale } from "../../../queries/operators/greyscale.ts";

const evil = Deno.env.get("FRAMELANE_TEST_EVIL");
const PERIOD = 40;

function hold(ms: number): void {
  const end = performance.now() + ms;
  while (performance.now() < end);
}

const turn = ({ partition, offset }: Frame, wrong: number) =>
  evil !== undefined && partition === wrong && offset % PERIOD === 7;

/** Wrong at once. */
function gauge(frame: Frame): Frame {
  if (evil === "spin" && frame.partition === 8 && frame.offset === 8) hold(Infinity);
  if (turn(frame, 9)) hold(1500);
  if (turn(frame, 11)) throw new TypeError("Cannot read gauge");
  if (turn(frame, 13)) return undefined as unknown as Frame;
  if (turn(frame, 14)) {
    void Promise.reject(new Error("A promise that was forgotten"));
    setTimeout(() => {
      // deno-lint-ignore no-throw-literal
      throw null;
    }, 1);
    globalThis.postMessage?.({ type: "stopped", lane: 1, garbage: true });
  }
  if (turn(frame, 15)) {
    Deno.exit(7);
  }
  return frame;
}

/** Wrong after an `await`. */
async function later(frame: Frame): Promise<Frame> {
  await Promise.resolve();
  if (turn(frame, 10)) hold(1500);
  if (turn(frame, 12)) await new Promise(() => {});
  return frame;
}

export default query("neighbours")
  .readStream({ startingOffsets: "earliest", maxFramesPerTrigger: 8 })
  .process(greyscale())
  .map(gauge)
  .map(later)
  .transformWithState<{ frames: number }, Frame>({
    name: "alarm",
    init: () => ({ frames: 0 }),
    handleInput(state, frame, timers) {
      state.frames++;
      if (turn(frame, 14)) timers.register(NaN);
      return [frame];
    },
  })
  .writeStream(
    topic({ name: "out" }),
    foreachBatch<Frame>(async ([first]) => {
      if (evil !== undefined && first?.partition === 13) {
        await new Promise((resolve) => setTimeout(resolve, 1000));
      }
    }),
  )
  .onOperatorError({ kind: "dead-letter", tries: 2 });
