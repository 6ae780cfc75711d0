// Notices changes in a folder and its subfolders.
import { relative, sep } from "node:path";
import type { Clock } from "../runtime/base/clock.ts";
import { Notifier, waitAtMost } from "../runtime/base/wait.ts";

/** How often everything is scanned, whatever the system reports. */
const RESCAN_MS = 5_000;
/** The same without reports of the system. */
const UNWATCHED_RESCAN_MS = 1_000;
/** How often files that are still being written are checked. */
const RETRY_MS = 100;

export class FolderWatch implements Disposable {
  readonly #folder: string;
  readonly #clock: Clock;
  readonly #signal: AbortSignal;
  readonly #watch: (folder: string) => Deno.FsWatcher;
  /** Absent where the system cannot watch: everything is scanned more often then. */
  #watcher: Deno.FsWatcher | undefined;
  #isGone = false;
  readonly #changed = new Set<string>();
  #all = false;
  #lastScan: number;
  readonly #wake = new Notifier();

  /** @param watch makes the system's watcher; `Deno.watchFs` unless given */
  constructor(
    folder: string,
    clock: Clock,
    signal: AbortSignal,
    watch: (folder: string) => Deno.FsWatcher = (path) => Deno.watchFs(path, { recursive: true }),
  ) {
    this.#folder = folder;
    this.#clock = clock;
    this.#signal = signal;
    this.#lastScan = clock.monotonic();
    this.#watch = watch;
    this.#begin();
  }

  /**
   * Sets whether the folder is gone; returns whether that changed. One that comes back, as a disk
   * does, is another one to the system.
   */
  setGone(gone: boolean): boolean {
    if (gone === this.#isGone) return false;
    this.#isGone = gone;
    if (gone) this[Symbol.dispose]();
    else this.#begin();
    return true;
  }

  #begin(): void {
    try {
      this.#watcher = this.#watch(this.#folder);
      void this.#listen(this.#watcher);
    } catch {
      // Too many watches, or an unsupported file system: scans find the changes.
      this.#watcher = undefined;
    }
  }

  /**
   * Waits for changes; returns paths below the folder, or `all` when everything must be scanned.
   *
   * @param impatient return soon even without changes
   */
  async changes(impatient: boolean): Promise<readonly string[] | "all"> {
    if (this.#changed.size === 0 && !this.#all && !this.#signal.aborted) {
      const woken = this.#wake.wait();
      const rescan = this.#lastScan + this.#rescanMs - this.#clock.monotonic();
      const wait = Math.max(0, impatient ? Math.min(RETRY_MS, rescan) : rescan);
      await waitAtMost(wait, woken, this.#clock, this.#signal);
    }
    const changed = [...this.#changed];
    this.#changed.clear();
    if (this.#all || this.#clock.monotonic() - this.#lastScan >= this.#rescanMs) {
      this.#all = false;
      this.#lastScan = this.#clock.monotonic();
      return "all";
    }
    return changed;
  }

  get #rescanMs(): number {
    return this.#watcher === undefined ? UNWATCHED_RESCAN_MS : RESCAN_MS;
  }

  async #listen(watcher: Deno.FsWatcher): Promise<void> {
    try {
      for await (const event of watcher) this.#note(event);
    } catch {
      // Scans find the changes.
      this.#watcher = undefined;
      this.#lookAtAll();
    }
  }

  #lookAtAll(): void {
    this.#all = true;
    this.#wake.notify();
  }

  #note({ kind, flag, paths }: Deno.FsEvent): void {
    if (kind === "remove" && paths.includes(this.#folder)) {
      // Another folder may be in its place.
      this[Symbol.dispose]();
      this.#begin();
      return this.#lookAtAll();
    }
    if (kind === "access" || kind === "remove") return;
    // A folder moved here, or lost events: scan everything.
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
