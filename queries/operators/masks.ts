// Shows segmentation masks as pictures.
import type { Operator, Output } from "../../runtime/mod.ts";
import { inspectImage } from "../../runtime/image/mod.ts";
import { shownFrame, withPicture, withShown } from "./picture.ts";

/**
 * Replaces the picture with the mask of a model's output as a PNG, for example for the `images`
 * sink: one sample per cell of the model's map, the number of its class. The manifest's output must
 * have `"kind": "map"` and `"mask": true`. Results do not change; outputs without a mask keep their
 * picture.
 *
 * @param name of the model's output
 *
 * @example
 * ```ts
 * import { images, query } from "../../runtime/mod.ts";
 * import { detect } from "./detect.ts";
 * import { masks } from "./masks.ts";
 *
 * export const roads = (manifest: string) =>
 *   query("roads")
 *     .readStream()
 *     .process(detect(manifest))
 *     .process(masks("classes"))
 *     .writeStream(images({ directory: "masks" }));
 * ```
 */
export function masks<T extends Output>(name: string): Operator<T, T> {
  return {
    name: `masks(${name})`,
    open: () => ({
      process(output) {
        const mask = maskIn(output, name);
        const frame = shownFrame(output);
        if (mask === undefined || frame === undefined) return [output];
        const png = Uint8Array.fromBase64(mask);
        return [withShown(output, withPicture(frame, png, inspectImage(png), "image/png"))];
      },
    }),
  };
}

function maskIn({ result }: Output, name: string): string | undefined {
  const own = (result?.data?.["masks"] as Readonly<Record<string, unknown>> | undefined)?.[name];
  const last: unknown = Array.isArray(own) ? own.at(-1) : undefined;
  return typeof last === "string" ? last : undefined;
}
