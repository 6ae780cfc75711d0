// Watches a folder for changes.
import { relative, sep } from "node:path";
import type { Clock } from "../runtime/base/clock.ts";
import { Notifier, waitAtMost } from "../runtime/base/wait.ts";

/** How often all files are checked, since the system may miss changes. */
const RESCAN_MS = 5_000;
/** The same if the system does not report changes. */
const UNWATCHED_RESCAN_MS = 1_000;
/** Scans of a large folder take at most this share of the time, unless one takes very long. */
const SCAN_SHARE = 0.1;
const MOST_RESCAN_MS = 60_000;
/** How often files that are still being written are checked. */
const RETRY_MS = 100;

export class FolderWatch implements Disposable {
  readonly #folder: string;
  readonly #clock: Clock;
  readonly #signal: AbortSignal;
  readonly #watch: (folder: string) => Deno.FsWatcher;
  /** Absent if the system cannot watch the folder, or no longer can. */
  #watcher: Deno.FsWatcher | undefined;
  readonly #changed = new Set<string>();
  #all = false;
  /** When the last scan began. */
  #scanned: number;
  /** How long it took; undefined while it runs. */
  #scanMs: number | undefined;
  readonly #wake = new Notifier();

  /** @param watch creates the system's watcher; `Deno.watchFs` by default */
  constructor(
    folder: string,
    clock: Clock,
    signal: AbortSignal,
    watch: (folder: string) => Deno.FsWatcher = (path) => Deno.watchFs(path, { recursive: true }),
  ) {
    this.#folder = folder;
    this.#clock = clock;
    this.#signal = signal;
    this.#scanned = clock.monotonic();
    this.#watch = watch;
    this.#start();
  }

  /** A folder that returns, for example on a disk plugged in again, needs a new watcher. */
  restart(): void {
    this[Symbol.dispose]();
    this.#start();
  }

  #start(): void {
    try {
      this.#watcher = this.#watch(this.#folder);
      void this.#listen(this.#watcher);
    } catch {
      // Too many watches, or a file system without them: the periodic scan finds the changes.
      this.#watcher = undefined;
    }
  }

  /**
   * Waits for changes.
   *
   * @param soon return soon even without changes
   * @returns paths below the folder, or `all` if every file must be checked
   */
  async changes(soon: boolean): Promise<readonly string[] | "all"> {
    this.#scanMs ??= this.#clock.monotonic() - this.#scanned;
    const due = this.#scanned + this.#scanMs + this.#pauseMs(this.#scanMs);
    if (this.#changed.size === 0 && !this.#all && !this.#signal.aborted) {
      const woken = this.#wake.wait();
      const rescan = due - this.#clock.monotonic();
      const wait = Math.max(0, soon ? Math.min(RETRY_MS, rescan) : rescan);
      await waitAtMost(wait, woken, this.#clock, this.#signal);
    }
    const changed = [...this.#changed];
    this.#changed.clear();
    if (this.#all || this.#clock.monotonic() >= due) {
      this.#all = false;
      this.#scanned = this.#clock.monotonic();
      this.#scanMs = undefined;
      return "all";
    }
    return changed;
  }

  /** How long after a scan the next one follows. */
  #pauseMs(scanMs: number): number {
    const least = this.#watcher === undefined ? UNWATCHED_RESCAN_MS : RESCAN_MS;
    return Math.max(least, Math.min(scanMs / SCAN_SHARE, MOST_RESCAN_MS));
  }

  async #listen(watcher: Deno.FsWatcher): Promise<void> {
    try {
      for await (const event of watcher) this.#note(event);
    } catch {
      // The periodic scan finds the changes.
      this.#watcher = undefined;
      this.#rescan();
    }
  }

  #rescan(): void {
    this.#all = true;
    this.#wake.notify();
  }

  #note({ kind, flag, paths }: Deno.FsEvent): void {
    if (kind === "remove" && paths.includes(this.#folder)) {
      this.restart();
      return this.#rescan();
    }
    if (kind === "access" || kind === "remove") return;
    // A folder was moved here, or events were lost: only a full scan finds the changes.
    if (flag === "rescan" || !paths.every((path) => /\.[^./\\]+$/.test(path))) this.#all = true;
    for (const path of paths) {
      this.#changed.add(relative(this.#folder, path).replaceAll(sep, "/"));
    }
    this.#wake.notify();
  }

  [Symbol.dispose](): void {
    this.#watcher?.close();
    this.#watcher = undefined;
  }
}
