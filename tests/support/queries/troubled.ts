/** Does to a partition what files in the folder FRAMELANE_TEST_TROUBLE say: `throw-N` fails, `hold-N` holds the thread. */
import { display, type Frame, query } from "../../../runtime/mod.ts";

const folder = Deno.env.get("FRAMELANE_TEST_TROUBLE")!;

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
    while (isThere(`hold-${frame.partition}`));
    return frame;
  })
  .writeStream(display())
  .onOperatorError("restart");
