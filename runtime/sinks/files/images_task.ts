// The task of `images:DIR`, loaded with the first such sink.
import { Semaphore } from "../../base/wait.ts";
import {
  BadFrameError,
  type Frame,
  isFinding,
  type Output,
  outputName,
} from "../../definition/frame.ts";
import { completeResult } from "../../definition/result.ts";
import type { SinkContext, SinkTask } from "../../definition/sink.ts";
import { asImage } from "../../image/picture.ts";
import type { BatchRange } from "../../log/log.ts";
import { contentTypeOf, extensionOf } from "../content_type.ts";
import { reserve } from "./lane.ts";
import { StagedLines } from "./staged_lines.ts";

export const ANNOTATIONS_HEADER = "file,camera,partition,offset,capture_time,label,result\n";

const OFFSET_DIGITS = 12;

/** Parallel writes, which share the disk's syncs. */
const PARALLEL_WRITES = 8;

export async function openImages(root: string, context: SinkContext): Promise<SinkTask> {
  const camera = await reserve(root, context);
  const folder = `${root}/${camera}`;
  await Deno.mkdir(folder, { recursive: true });
  const lines = await StagedLines.open({
    path: `${root}/annotations.csv`,
    root: `${root}/.framelane`,
    header: ANNOTATIONS_HEADER,
    folder,
    lastOffsetOf: (row) => lastOffsetOfRow(row, camera),
  }, context);
  return new ImagesTask(lines, camera, context);
}

class ImagesTask implements SinkTask {
  readonly #lines: StagedLines;
  readonly #camera: string;
  readonly #context: SinkContext;
  #rows = "";
  readonly #files = new Set<string>();

  constructor(lines: StagedLines, camera: string, context: SinkContext) {
    this.#lines = lines;
    this.#camera = camera;
    this.#context = context;
  }

  async write(outputs: readonly Output[]): Promise<void> {
    const pictures = new Map<string, Uint8Array>();
    for (const output of outputs) {
      const image = await this.#imageOf(isFinding(output) ? output.picture : output);
      const name = image === undefined
        ? ""
        : `${outputName(output, OFFSET_DIGITS)}.${extensionOf(contentTypeOf(image))}`;
      if (image !== undefined) pictures.set(name, image.value);
      this.#rows += this.#rowOf(output, name);
    }
    const turns = new Semaphore(PARALLEL_WRITES);
    const writing = Array.from(
      pictures,
      ([name, value]) => turns.run(() => this.#lines.prepare(name, value)),
    );
    for (const result of await Promise.allSettled(writing)) {
      if (result.status === "rejected") throw result.reason;
    }
    for (const name of pictures.keys()) this.#files.add(name);
  }

  async flush(batch: BatchRange): Promise<void> {
    if (this.#rows === "") return;
    await this.#lines.stage(batch, this.#rows, [...this.#files]);
    this.#rows = "";
    this.#files.clear();
  }

  committed(): Promise<void> {
    return this.#lines.publish();
  }

  close(): Promise<void> {
    return this.#lines.close();
  }

  async #imageOf(picture: Frame | undefined): Promise<Frame | undefined> {
    try {
      return picture === undefined ? undefined : await asImage(picture);
    } catch (error) {
      if (!(error instanceof BadFrameError)) throw error;
      this.#context.report(`Not in the images: offset ${picture!.offset}: ${error.message}`);
      return undefined;
    }
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
      output.result === undefined
        ? ""
        : JSON.stringify(completeResult(output, this.#context.query)),
    ].map(field).join(",") + "\n";
  }
}

/** Epoch milliseconds as ISO 8601, or as a number if outside the range of dates. */
function timeOf(timestamp: number): string {
  return Math.abs(timestamp) <= 8.64e15 ? new Date(timestamp).toISOString() : String(timestamp);
}

/** Marks a label that a spreadsheet would read as a formula as text, with an apostrophe. */
function asText(label: string): string {
  return /^'*[=+\-@\t\r]/.test(label) && !/^[+-]?[\d.]+$/.test(label) ? `'${label}` : label;
}

function field(text: string): string {
  const line = text.replaceAll(/[\r\n]+/g, " ");
  return /[",]/.test(line) ? `"${line.replaceAll('"', '""')}"` : line;
}

function lastOffsetOfRow(row: string, camera: string): number | undefined {
  const [, name, , offset] = row.split(",", 4);
  return name === camera && offset !== undefined ? Number(offset) : undefined;
}
