/** Does to a partition what files in the folder FRAMELANE_TEST_TROUBLE say: `throw-N` fails, `hold-N` holds the thread. */
import { display, type Frame, query } from "../../../runtime/mod.ts";

const folder = Deno.env.get("FRAMELANE_TEST_TROUBLE")!;

/** It holds the thread for less than a call may take, and again after a rest: cut off three times, it fails for good. */
const [HOLD_MS, REST_MS] = [6_000, 5_000];
let restsUntil = 0;

function isThere(name: string): boolean {
  try {
    return Deno.statSync(`${folder}/${name}`).isFile;
  } catch {
    return false;
  }
}

export default query("troubled")
  .readStream()
  .map((frame: Frame) => {
    if (isThere(`throw-${frame.partition}`)) throw new Error("The gate is stuck");
    const hold = `hold-${frame.partition}`;
    if (performance.now() > restsUntil && isThere(hold)) {
      const end = performance.now() + HOLD_MS;
      while (performance.now() < end && isThere(hold));
      restsUntil = performance.now() + REST_MS;
    }
    return frame;
  })
  .writeStream(display())
  .onOperatorError("restart");
