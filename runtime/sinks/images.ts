// The `images:DIR` sink: pictures as files, with a table of what is on them.
import { ABOVE_ZERO, checkOptions, FOLDER } from "../base/options.ts";
import {
  BadFrameError,
  cameraOfPartition,
  type Frame,
  isFinding,
  numberSuffix,
  type Output,
  outputName,
} from "../definition/frame.ts";
import type { BatchRange } from "../log/log.ts";
import { asImage } from "../image/picture.ts";
import { contentTypeOf, endingOf } from "./content_type.ts";
import { explained } from "./files/failure.ts";
import { reserve } from "./files/lane.ts";
import { StagedLines } from "./files/staged_lines.ts";
import { checkOutput, completeResult } from "../definition/result.ts";
import type { Sink, SinkContext, SinkTask } from "../definition/sink.ts";

/** Options of `images`. */
export interface ImagesOptions {
  /** The folder, made as needed; `{query}` in it stands for the query's name. Default `images`. */
  readonly directory?: string;
  /** How long another process may block `annotations.csv` before it counts as paused. Default 5 000. */
  readonly lockTimeoutMs?: number;
}

export const ANNOTATIONS_HEADER = "file,camera,partition,offset,capture_time,label,result\n";

/** Digits of an offset in the name of a file. */
const OFFSET_DIGITS = 12;

/** Pictures that are written at the same time: enough to share the disk's syncs. */
const PARALLEL_WRITES = 8;

/**
 * Writes each picture to `DIR/CAMERA-n/OFFSET.jpg` (of a window `FIRST-LAST.jpg`, then
 * `FIRST-LAST.2.jpg` where several begin with this frame; the ending says the type) and a row to `DIR/annotations.csv`: file, camera, partition, offset, capture time
 * (ISO 8601), label (with an apostrophe before what a spreadsheet would take for a formula), result (JSON). Both appear when their batch is committed, exactly once. Bytes
 * are the output's own, never encoded again; of an access unit its picture as a JPEG.
 *
 * A folder belongs to one query for each camera; two queries need two folders, or
 * `images:DIR/{query}`.
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
  const { directory = "images", lockTimeoutMs = 5000 } = options;
  checkOptions("write images", options, { directory: FOLDER, lockTimeoutMs: ABOVE_ZERO });
  return {
    uri: `images:${directory}`,
    delivery: "exactly-once",
    opens: { writes: [directory] },
    check: checkOutput,
    open(context) {
      const root = directory.replaceAll("{query}", context.query).replace(/(?<=.)\/+$/, "");
      const action = `write images to ${JSON.stringify(root)}`;
      return explained(action, async () => {
        const camera = cameraOfPartition(context.partition);
        const folder = `${root}/${camera}`;
        await Deno.mkdir(folder, { recursive: true });
        await reserve(`${root}/.framelane`, camera, context, action);
        const lines = await StagedLines.open({
          path: `${root}/annotations.csv`,
          root: `${root}/.framelane`,
          header: ANNOTATIONS_HEADER,
          folder,
          lockTimeoutMs,
          lastOffsetOf: (row) => lastOffsetOfRow(row, camera),
        }, context);
        return new ImagesTask(lines, camera, action, context);
      });
    },
  };
}

class ImagesTask implements SinkTask {
  readonly #lines: StagedLines;
  readonly #camera: string;
  readonly #query: string;
  readonly #action: string;
  readonly #report: (message: string) => void;
  #rows = "";
  #files: string[] = [];
  #lastName = "";
  #repeats = 0;

  constructor(
    lines: StagedLines,
    camera: string,
    action: string,
    { query, report }: SinkContext,
  ) {
    this.#lines = lines;
    this.#report = report;
    this.#camera = camera;
    this.#query = query;
    this.#action = action;
  }

  async write(outputs: readonly Output[]): Promise<void> {
    await explained(this.#action, async () => {
      const work: { name: string; value: Uint8Array }[] = [];
      for (const output of outputs) {
        const image = await this.#imageOf(isFinding(output) ? output.picture : output);
        const name = image === undefined ? "" : this.#nameOf(output, image);
        if (image !== undefined) work.push({ name, value: image.value });
        this.#rows += this.#rowOf(output, name);
      }
      let next = 0;
      const writers = Array.from({ length: PARALLEL_WRITES }, async () => {
        while (next < work.length) {
          const { name, value } = work[next++]!;
          await this.#lines.prepare(name, value);
        }
      });
      for (const result of await Promise.allSettled(writers)) {
        if (result.status === "rejected") throw result.reason;
      }
      for (const { name } of work) this.#files.push(name);
    });
  }

  async flush(batch: BatchRange): Promise<void> {
    if (this.#rows === "") return;
    await explained(this.#action, () => this.#lines.stage(batch, this.#rows, this.#files));
    this.#rows = "";
    this.#files = [];
  }

  async committed(): Promise<void> {
    await explained(this.#action, () => this.#lines.publish());
  }

  async close(): Promise<void> {
    await explained(this.#action, () => this.#lines.close());
  }

  async #imageOf(picture: Frame | undefined): Promise<Frame | undefined> {
    try {
      return picture === undefined ? undefined : await asImage(picture);
    } catch (error) {
      if (!(error instanceof BadFrameError)) throw error;
      this.#report(`Left out of the images: offset ${picture!.offset}: ${error.message}`);
      return undefined;
    }
  }

  #nameOf(output: Output, picture: Frame): string {
    const name = outputName(output, OFFSET_DIGITS);
    // Numbered here where a program writes outputs without the runtime, which numbers them itself.
    this.#repeats = name === this.#lastName ? this.#repeats + 1 : 0;
    this.#lastName = name;
    return `${name}${numberSuffix(this.#repeats)}.${endingOf(contentTypeOf(picture))}`;
  }

  #rowOf(output: Output, name: string): string {
    const offset = isFinding(output) ? output.lastOffset : output.offset;
    const label = isFinding(output) ? output.picture?.headers["label"] : output.headers["label"];
    return [
      name === "" ? "" : `${this.#camera}/${name}`,
      this.#camera,
      String(output.partition),
      String(offset),
      timeOf(output.timestamp),
      asText(label ?? ""),
      output.result === undefined ? "" : JSON.stringify(completeResult(output, this.#query)),
    ].map(field).join(",") + "\n";
  }
}

/** Epoch milliseconds as ISO 8601; as the number where it is beyond what a date can be. */
function timeOf(timestamp: number): string {
  return Math.abs(timestamp) <= 8.64e15 ? new Date(timestamp).toISOString() : String(timestamp);
}

/** A label that a spreadsheet would take for a formula begins with an apostrophe, which says that it is text. */
function asText(label: string): string {
  return /^'*[=+\-@\t\r]/.test(label) && !/^[+-]?[\d.]+$/.test(label) ? `'${label}` : label;
}

/** A field of a row: quoted where needed, on one line. */
function field(text: string): string {
  const line = text.replaceAll(/[\r\n]+/g, " ");
  return /[",]/.test(line) ? `"${line.replaceAll('"', '""')}"` : line;
}

function lastOffsetOfRow(row: string, camera: string): number | undefined {
  const [, name, , offset] = row.split(",", 4);
  return name === camera && offset !== undefined ? Number(offset) : undefined;
}
