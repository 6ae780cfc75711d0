import { epochOf } from "../base/clock.ts";
import { given } from "../base/options.ts";
import type { Frame, Window } from "../definition/frame.ts";
import type { Operator } from "../definition/operator.ts";
import { createWindower, type WindowerState } from "./window.ts";
import { checkWindowOptions, type WindowOptions } from "./window_options.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

export function windowOperator(options: WindowOptions): Operator<Frame, Window> {
  const checked = checkWindowOptions(options);
  const settings = Object.entries(given(options)).map((option) => option.join("=")).join(" ");
  return {
    name: `window(${settings})`,
    kind: "window",
    open(context) {
      const state = context.state === undefined
        ? undefined
        : JSON.parse(decoder.decode(context.state)) as WindowerState;
      const windower = createWindower(checked, state);
      const { silenceMs } = checked;
      let lastFrameAt = context.clock.monotonic();
      return {
        process(frame) {
          lastFrameAt = context.clock.monotonic();
          return windower.push(frame);
        },
        stateSize: () => ({ items: windower.held, bytes: windower.heldBytes }),
        skipped: () => ({ late: windower.late, ahead: windower.ahead }),
        watermark: () => windower.watermark,
        restartOffset: () => windower.restartPoint()?.offset,
        snapshot: () =>
          encoder.encode(JSON.stringify(windower.restartPoint()?.state ?? windower.state())),
        ...(silenceMs === undefined ? {} : {
          nextTimer: () =>
            windower.hasOpen ? epochOf(context.clock, lastFrameAt + silenceMs) : undefined,
          onTimer: () => windower.flush(),
          finish: (finite) => finite === true ? windower.flush() : [],
        }),
      };
    },
  };
}
