/**
 * Decodes every frame and passes it on: an access unit to its planes, a JPEG to RGB. Reports how many: totals
 * come with commits, a second late. The first report comes when the lane is as warm as the bare decoder.
 */
import { display, type Frame, type Operator, pictureOf, query } from "../../runtime/mod.ts";
import { WARM_UP } from "./codec_loop.ts";

/** Name of the channel with the counts of all lanes. */
export const DECODED_CHANNEL = "framelane-bench-decoded";

/** Frames that a lane has decoded so far. */
export interface DecodedCount {
  readonly partition: number;
  readonly count: number;
}

function decoded(): Operator<Frame, Frame> {
  return {
    name: "decoded",
    // The next frame waits in the lane's decoder while this one continues.
    concurrency: 2,
    open: ({ partition }) => {
      const channel = new BroadcastChannel(DECODED_CHANNEL);
      let count = 0;
      return {
        async process(frame) {
          const picture = await pictureOf(frame);
          if (picture.image !== undefined) (await picture.pixels(3)).release();
          picture.release();
          const said: DecodedCount = { partition, count: ++count };
          if (count % WARM_UP === 0) channel.postMessage(said);
          return [frame];
        },
        close: () => channel.close(),
      };
    },
  };
}

export default query("decoded").readStream().process(decoded()).writeStream(display());
