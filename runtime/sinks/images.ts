// The `images:DIR` sink: pictures as files, with a table of annotations.
import { checkOptions } from "../base/fields.ts";
import { FOLDER } from "../base/options.ts";
import { checkOutput } from "../definition/result.ts";
import type { Sink } from "../definition/sink.ts";
import { openFolder } from "./files/failure.ts";

/** Options of `images`. */
export interface ImagesOptions {
  /** The folder, created if necessary; `{query}` stands for the query's name. Default `images`. */
  readonly directory?: string;
}

/**
 * Writes each picture to `DIR/CAMERA-n/OFFSET.jpg` (for a window `FIRST-LAST.jpg`, then
 * `FIRST-LAST.2.jpg` if several start with this frame; the extension depends on the type) and a row
 * to `DIR/annotations.csv`: file, camera, partition, offset, capture time (ISO 8601), label (with
 * an apostrophe before text that a spreadsheet would read as a formula), result (JSON). Both appear
 * when their batch is committed, exactly once. A frame that comes again, as one of two windows that
 * overlap, has a row each time and its last picture. Images are not re-encoded; an access unit is
 * written as a JPEG.
 *
 * Each camera's folder belongs to one query; two queries need two folders, or `images:DIR/{query}`.
 *
 * @example
 * ```ts
 * import { images } from "./images.ts";
 *
 * const sink = images({ directory: "out/{query}" });
 * sink.delivery; // "exactly-once"
 * ```
 */
export function images(options: ImagesOptions = {}): Sink {
  const { directory = "images" } = options;
  checkOptions("write images", options, { directory: FOLDER });
  return {
    uri: `images:${directory}`,
    delivery: "exactly-once",
    opens: { writes: [directory] },
    check: checkOutput,
    open: (context) =>
      openFolder(directory, "images", context, async (root) => {
        const { openImages } = await import("./files/images_task.ts");
        return openImages(root, context);
      }),
  };
}
