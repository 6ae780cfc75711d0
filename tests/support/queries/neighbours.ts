/**
 * Sixteen cameras. With FRAMELANE_TEST_EVIL each partition from 9 on does one kind of wrong, in each
 * period of 40 frames from that offset on; partition 8 has bad bytes instead, 9 bombs.
 * FRAMELANE_TEST_SPIN lets partition 10 hold its thread for ever once.
 */
import {
  foreachBatch,
  type Frame,
  type Operator,
  type OperatorTask,
  query,
  topic,
} from "../../../runtime/mod.ts";
import { detect } from "../../../queries/operators/detect.ts";
import { greyscale } from "../../../queries/operators/greyscale.ts";

const FROM = Number(Deno.env.get("FRAMELANE_TEST_EVIL") ?? Infinity);
const SPINS = Deno.env.get("FRAMELANE_TEST_SPIN") !== undefined;
const PERIOD = 40;

const manifest = (name: string) =>
  new URL(`../../queries/operators/model/shapes/${name}.json`, import.meta.url);

function hold(ms: number): void {
  const end = performance.now() + ms;
  while (performance.now() < end);
}

/** Whether this frame is the one of a period at which its partition does this wrong. */
const turn = ({ partition, offset }: Frame, wrong: number, at: number) =>
  partition === wrong && offset >= FROM && (offset - FROM) % PERIOD === at;

/** Wrong at once. */
function gauge(frame: Frame): Frame {
  if (turn(frame, 10, 7)) hold(1500);
  if (SPINS && frame.partition === 10 && frame.offset === FROM + 8) hold(Infinity);
  if (turn(frame, 11, 7)) throw new TypeError("Cannot read gauge");
  if (turn(frame, 11, 17)) return undefined as unknown as Frame;
  if (turn(frame, 14, 7)) {
    void Promise.reject(new Error("A promise that was forgotten"));
    setTimeout(() => {
      // deno-lint-ignore no-throw-literal
      throw null;
    }, 1);
    globalThis.postMessage?.({ type: "stopped", lane: 1, garbage: true });
  }
  if (turn(frame, 14, 17)) Deno.exit(7);
  return frame;
}

/** Wrong after an `await`. */
async function later(frame: Frame): Promise<Frame> {
  await Promise.resolve();
  if (turn(frame, 10, 17)) hold(1500);
  // As ONNX Runtime runs a model.
  if (turn(frame, 10, 27)) await new Promise((done) => setImmediate(() => done(hold(1500))));
  if (turn(frame, 12, 7)) await new Promise(() => {});
  return frame;
}

/** Of partition 15: a model that finds nothing, one whose scores are none, one whose file is empty. */
const models: Operator<Frame, Frame> = {
  name: "models",
  async open(context) {
    if (context.partition !== 15) return { process: (frame) => [frame] };
    const look: OperatorTask<Frame, Frame> = await detect(manifest("nms")).open(context);
    const score: OperatorTask<Frame, Frame> = await detect(manifest("scores")).open(context);
    return {
      process(frame) {
        if (turn(frame, 15, 7)) detect(manifest("empty"));
        return turn(frame, 15, 17) ? score.process(frame) : look.process(frame);
      },
      async close() {
        await look.close?.();
        await score.close?.();
      },
    };
  },
};

export default query("neighbours")
  .readStream({ startingOffsets: "earliest", maxFramesPerTrigger: 8 })
  .process(greyscale())
  .map(gauge)
  .map(later)
  .process(models)
  .transformWithState<{ frames: number }, Frame>({
    name: "alarm",
    init: () => ({ frames: 0 }),
    handleInput(state, frame, timers) {
      state.frames++;
      if (turn(frame, 14, 27)) timers.register(NaN);
      return [frame];
    },
  })
  .writeStream(
    topic({ name: "out" }),
    foreachBatch<Frame>(async ([first]) => {
      if (first?.partition === 13 && first.offset >= FROM) {
        await new Promise((resolve) => setTimeout(resolve, 1000));
      }
    }),
  )
  .onOperatorError({ kind: "dead-letter", tries: 2 });
