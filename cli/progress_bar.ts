// A progress bar on a terminal; silent elsewhere.
import { type PipeStream, write } from "./output.ts";

type BarStream = Pick<PipeStream, "writeSync" | "isTerminal">;

interface ProgressBarOptions {
  readonly title: string;
  /** Default: standard error. */
  readonly stream?: BarStream;
  /** Columns of the terminal; queried by default. */
  readonly columns?: () => number;
  /** Monotonic milliseconds; default `performance.now`. */
  readonly now?: () => number;
}

const DRAW_EVERY_MS = 100;
const BAR_CELLS = 24;

/** A progress bar for a known total, or a growing count. */
export class ProgressBar {
  readonly #title: string;
  readonly #stream: BarStream;
  readonly #columns: () => number;
  readonly #now: () => number;
  readonly #shown: boolean;
  #drawnAt = -Infinity;
  #drawn = false;

  constructor(options: ProgressBarOptions) {
    const { title, stream = Deno.stderr, columns = terminalColumns } = options;
    this.#title = title;
    this.#stream = stream;
    this.#columns = columns;
    this.#now = options.now ?? (() => performance.now());
    this.#shown = stream.isTerminal();
  }

  /**
   * Updates the bar, at most ten times a second.
   *
   * @param total undefined if unknown
   * @param note text at the right
   */
  update(done: number, total: number | undefined, note: string): void {
    if (!this.#shown) return;
    const now = this.#now();
    const complete = total !== undefined && done >= total;
    if (!complete && now - this.#drawnAt < DRAW_EVERY_MS) return;
    this.#drawnAt = now;
    write(this.#stream, `\r${this.#fit(this.#text(done, total, note))}\x1b[K`);
    this.#drawn = true;
  }

  /** Removes the bar, so that a line can be written; the next update shows it again. */
  clear(): void {
    if (this.#drawn) write(this.#stream, "\r\x1b[K");
    this.#drawn = false;
    this.#drawnAt = -Infinity;
  }

  #text(done: number, total: number | undefined, note: string): string {
    if (total === undefined || total <= 0) return `${this.#title} ${note}`;
    const share = Math.min(1, done / total);
    const eighths = Math.round(share * BAR_CELLS * 8);
    const full = Math.floor(eighths / 8);
    const part = eighths % 8 === 0 ? "" : String.fromCharCode(0x2590 - eighths % 8);
    const bar = ("█".repeat(full) + part).padEnd(BAR_CELLS, "·");
    return `${this.#title} ${bar} ${String(Math.floor(share * 100)).padStart(3)} % ${note}`;
  }

  #fit(text: string): string {
    return [...text].slice(0, Math.max(1, this.#columns() - 1)).join("");
  }
}

/** Columns of the terminal; 80 if there is none, or one without a size. */
export function terminalColumns(): number {
  try {
    return Deno.consoleSize().columns || 80;
  } catch {
    return 80;
  }
}
