// Query: 16-frame sliding windows, hop 8, as float tensors of 224×224, the way the `model` operator
// makes them, without a model. Every frame passes as it came, so that frames can be counted.
import { FrameTensors } from "../../queries/operators/model/frame_tensors.ts";
import type { ModelInput } from "../../queries/operators/model/manifest.ts";
import { WindowTensor } from "../../queries/operators/model/window_tensor.ts";
import { display, type Frame, type Operator, query } from "../../runtime/mod.ts";
import { createWindower } from "../../runtime/windows/window.ts";

/** 16 frames of 224×224 as RGB floats. */
const INPUT: ModelInput = {
  name: "frames",
  dtype: "float32",
  layout: "NTHWC",
  frames: 16,
  height: 224,
  width: 224,
  color: "RGB",
  resize: "fill",
  align: "center",
  pad: 0,
  scale: 1 / 255,
  mean: [0, 0, 0],
  std: [1, 1, 1],
};

/** Where lanes tell when their first frame was done, epoch milliseconds. */
export const FIRST_FRAMES = "window-tensors";

function tellFirstFrame(): void {
  const channel = new BroadcastChannel(FIRST_FRAMES);
  channel.postMessage(performance.timeOrigin + performance.now());
  channel.close();
}

function windowTensors(): Operator<Frame, Frame> {
  return {
    name: "window-tensors",
    kind: "window",
    open() {
      const windower = createWindower({ frames: INPUT.frames, hop: INPUT.frames / 2 });
      const tensors = new FrameTensors([INPUT], true);
      const window = new WindowTensor(INPUT);
      let isFirst = true;
      return {
        async process(frame) {
          await tensors.add(frame);
          for (const { frames } of windower.push(frame)) {
            window.fill(frames.map(({ offset }) => tensors.get(offset, 0)));
          }
          tensors.forgetBelow(windower.restartPoint()?.offset ?? Infinity);
          if (isFirst) tellFirstFrame();
          isFirst = false;
          return [frame];
        },
        restartOffset: () => windower.restartPoint()?.offset,
        close: () => tensors.forgetBelow(Infinity),
      };
    },
  };
}

export default query("windows")
  .readStream()
  .process(windowTensors())
  .writeStream(display());
