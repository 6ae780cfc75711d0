// The video files of one owner of a lane: extended, cut back to the committed part, finished. Calls
// must not overlap.
import { crc32 } from "node:zlib";
import { concatenated } from "../../base/bytes.ts";
import { avi } from "../../video/avi.ts";
import type { Container } from "../../video/container.ts";
import { ENTRY_BYTES, FrameIndex, type IndexEntry } from "../../video/frame_index.ts";
import { mp4 } from "../../video/mp4.ts";
import { beforeGroup, type Mark, type Piece, type Progress } from "../../video/recorder.ts";
import { SinkError } from "./failure.ts";
import type { Fence } from "./fence.ts";
import { exists, ifThere, syncPath } from "../../base/folders.ts";
import { readAt, writeAt } from "./io.ts";

const INDEX = ".index";

export class VideoFiles {
  readonly #directory: string;
  readonly #fence: Fence;
  #video: Deno.FsFile | undefined;
  #path = "";
  /** The file's number under that name: some file systems give a link a number of its own. */
  #number: number | null = null;
  #index: Deno.FsFile | undefined;
  #length = 0;
  #entries = 0;

  constructor(directory: string, fence: Fence) {
    this.#directory = directory;
    this.#fence = fence;
  }

  /** How much of a state is on disk: a machine crash may damage the last group. */
  async verified(progress: Progress): Promise<Progress> {
    const { mark, files } = progress;
    if (mark === undefined) return progress;
    const path = `${this.#directory}/${mark.file}`;
    const { start, crc } = mark.group;
    const existing = await ifThere(Deno.stat(path));
    if (existing === undefined || existing.size < start.length) return { files };
    using file = await Deno.open(path, { read: true });
    const group = await readAt(file, start.length, mark.length - start.length);
    const whole = group.length === mark.length - start.length && crc32(group) === crc;
    return whole ? progress : beforeGroup(progress);
  }

  /** True if the file of a mark is finished or was removed. */
  async finished(mark: Mark): Promise<boolean> {
    const path = `${this.#directory}/${mark.file}`;
    if (!await exists(path)) return true;
    using file = await Deno.open(path, { read: true });
    const header = headerOf(mark);
    const existing = await readAt(file, 0, header.length);
    return existing.some((byte, index) => byte !== header[index]);
  }

  /**
   * Continues with the file of a mark, cut back to that mark.
   *
   * @param copy leaves the old file to a former owner that may still write to it
   */
  async resume(mark: Mark, copy: boolean): Promise<void> {
    const path = `${this.#directory}/${mark.file}`;
    // Open it inside the generation only, where an owner that was fenced meanwhile finds nothing.
    const own = `${this.#fence.directory}/video`;
    if (copy) await Deno.copyFile(path, own);
    else await Deno.link(path, own);
    this.#video = await Deno.open(own, { read: true, write: true });
    await writeAt(this.#video, 0, headerOf(mark));
    await this.#video.truncate(mark.length);
    this.#length = mark.length;
    this.#path = path;
    if (copy) {
      await this.#video.sync();
      await this.#fence.publish("video", path);
    } else await Deno.remove(own);
    this.#number = (await Deno.stat(path)).ino;
    await this.#openIndex(mark.file);
    this.#entries = mark.frames - mark.group.entries.length;
  }

  async inherit(left: string): Promise<void> {
    for await (const { name } of Deno.readDir(left)) {
      if (!name.endsWith(INDEX)) continue;
      await Deno.copyFile(`${left}/${name}`, `${this.#fence.directory}/${name}`);
    }
  }

  /** Removes files that were started in a batch that was never committed. */
  async remove(names: readonly string[]): Promise<void> {
    for (const name of names) {
      const removed = `${this.#fence.directory}/removed`;
      if (!await exists(`${this.#directory}/${name}`)) continue;
      await Deno.rename(`${this.#directory}/${name}`, removed);
      await Deno.remove(removed);
    }
  }

  /** Writes a recorder's pieces; returns the files started, and foreign ones that were renamed. */
  async apply(
    pieces: readonly Piece[],
    mark: Mark | undefined,
  ): Promise<{ begun: string[]; renamed: string[] }> {
    const begun: string[] = [];
    const renamed: string[] = [];
    let durable = false;
    await this.#checkThere();
    for (const piece of pieces) {
      if (piece.kind === "append") {
        for (const bytes of piece.bytes) {
          await writeAt(this.#video!, this.#length, bytes);
          this.#length += bytes.length;
        }
        continue;
      }
      durable = true;
      if (piece.kind === "group") await this.#addEntries(piece.entries);
      else if (piece.kind === "finish") await this.#finish(piece.mark, []);
      else {
        const other = await this.#begin(piece.file, piece.header);
        if (other !== undefined) renamed.push(other);
        begun.push(piece.file);
      }
    }
    if (mark !== undefined && containerOf(mark).headerGrows) {
      await writeAt(this.#video!, 0, headerOf(mark));
    }
    if (durable) {
      // Only the last group is checked later: see `verified`.
      await this.#video?.syncData();
      await this.#index?.syncData();
    }
    return { begun, renamed };
  }

  /** @throws {SinkError} if another process has removed, replaced or cut the file: what follows would be lost */
  async #checkThere(): Promise<void> {
    if (this.#video === undefined) return;
    const [there, own] = [await ifThere(Deno.stat(this.#path)), await this.#video.stat()];
    if (there?.ino === this.#number && own.size >= this.#length) return;
    this.#fence.check();
    throw new SinkError("FAILED", `Cannot write ${this.#path}: it was changed while in use`);
  }

  async finish(mark: Mark): Promise<void> {
    await this.#finish(mark, mark.group.entries);
  }

  async removeIndexes(keep: readonly (string | undefined)[]): Promise<void> {
    for await (const { name } of Deno.readDir(this.#fence.directory)) {
      if (!name.endsWith(INDEX) || keep.includes(name.slice(0, -INDEX.length))) continue;
      await Deno.remove(`${this.#fence.directory}/${name}`);
    }
  }

  close(): void {
    this.#video?.close();
    this.#index?.close();
    this.#video = this.#index = undefined;
  }

  async #begin(name: string, header: Uint8Array): Promise<string | undefined> {
    this.close();
    const own = `${this.#fence.directory}/video.new`;
    this.#video = await Deno.open(own, { read: true, write: true, create: true, truncate: true });
    await writeAt(this.#video, 0, header);
    await this.#video.sync();
    const other = await this.#renameForeign(name);
    this.#path = `${this.#directory}/${name}`;
    await this.#fence.publish("video.new", this.#path);
    await syncPath(this.#directory);
    this.#number = (await Deno.stat(this.#path)).ino;
    this.#length = header.length;
    await this.#openIndex(name);
    this.#entries = 0;
    return other;
  }

  /** Keeps an existing file of that name from another recording under a new name. */
  async #renameForeign(name: string): Promise<string | undefined> {
    if (!await exists(`${this.#directory}/${name}`)) return undefined;
    for (let number = 1;; number++) {
      const old = `${name}.old${number === 1 ? "" : number}`;
      if (await exists(`${this.#directory}/${old}`)) continue;
      await Deno.rename(`${this.#directory}/${name}`, `${this.#fence.directory}/aside`);
      await Deno.rename(`${this.#fence.directory}/aside`, `${this.#directory}/${old}`);
      return old;
    }
  }

  async #openIndex(name: string): Promise<void> {
    const path = `${this.#fence.directory}/${name}${INDEX}`;
    this.#index = await Deno.open(path, { read: true, write: true, create: true });
  }

  async #addEntries(entries: readonly IndexEntry[]): Promise<void> {
    const bytes = FrameIndex.encode(entries);
    await writeAt(this.#index!, this.#entries * ENTRY_BYTES, bytes);
    this.#entries += entries.length;
  }

  async #finish(mark: Mark, last: readonly IndexEntry[]): Promise<void> {
    const known = await readAt(this.#index!, 0, this.#entries * ENTRY_BYTES);
    const index = new FrameIndex(concatenated([known, FrameIndex.encode(last)]));
    // Without its complete index (its folder was removed) a file stays unfinished, but playable.
    if (index.length !== mark.frames || !index.isWhole) return;
    const video = this.#video!;
    const { track, length, point } = mark;
    const { tail, patch } = containerOf(mark).finish(track, index, length, point.delta);
    await writeAt(video, length, tail);
    await video.sync();
    await writeAt(video, patch.position, patch.bytes);
    await video.sync();
  }
}

/** The container that a file was begun with, whatever the sink's format is now. */
function containerOf({ file }: Mark): Container {
  return file.endsWith(`.${avi.ending}`) ? avi : mp4;
}

function headerOf(mark: Mark): Uint8Array {
  const { track, steps, length } = mark;
  return containerOf(mark).header(track, { steps, length });
}
