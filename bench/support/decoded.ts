/** Decodes every frame, and hands it on as it came: an access unit to its planes, a JPEG to RGB. */
import { display, type Frame, type Operator, pictureOf, query } from "../../runtime/mod.ts";

function decoded(): Operator<Frame, Frame> {
  return {
    name: "decoded",
    // The next frame waits in the lane's decoder while this one continues.
    concurrency: 2,
    open: () => ({
      async process(frame) {
        const picture = await pictureOf(frame);
        if (picture.image !== undefined) (await picture.pixels(3)).release();
        picture.release();
        return [frame];
      },
    }),
  };
}

export default query("decoded").readStream().process(decoded()).writeStream(display());
