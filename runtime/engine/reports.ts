// When a streaming query reports progress: after a batch, at most this often, and once more when a
// pause begins.
import { pause } from "../base/wait.ts";
import type { BatchRange } from "../log/log.ts";
import type { Opened } from "./opened.ts";
import type { ExecutionOptions } from "./options.ts";

const INTERVAL_MS = 1000;

export class Reports {
  readonly #opened: Opened;
  readonly #options: ExecutionOptions;
  readonly #drain: AbortController;
  #last: number;
  #due = false;

  /** @param drain ends the wait for a later report; an operator that fails to tell its state aborts it */
  constructor(opened: Opened, options: ExecutionOptions, drain: AbortController) {
    this.#opened = opened;
    this.#options = options;
    this.#drain = drain;
    this.#last = options.clock.monotonic();
  }

  /** A batch was committed: reports it now, or together with later ones. */
  batchDone(range: BatchRange): void {
    const { reporter, intake } = this.#opened;
    const { clock, progressIntervalMs = INTERVAL_MS } = this.#options;
    reporter.batchDone(range, intake.latest);
    const early = progressIntervalMs - (clock.monotonic() - this.#last);
    if (early <= 0) this.send();
    else this.#sendLater(early).catch((error) => this.#drain.abort(error));
  }

  /** Reports now, if there is anything to report. */
  send(): void {
    const { reporter, pipeline, aligned } = this.#opened;
    const { clock, onProgress } = this.#options;
    const { newest } = reporter;
    if (newest === undefined) return;
    this.#last = clock.monotonic();
    const { progress, measurements } = reporter.report(
      newest,
      pipeline.stateSizes(),
      pipeline.watermark(),
    );
    const beside = aligned === undefined ? [] : [aligned.progress(newest.batch.end)];
    onProgress?.({ ...progress, sources: [...progress.sources, ...beside] }, measurements);
  }

  /** The last batches before a pause are reported too. */
  async #sendLater(ms: number): Promise<void> {
    if (this.#due) return;
    this.#due = true;
    // A query that ends reports then.
    if (!await pause(ms, this.#drain.signal, this.#options.clock)) return;
    this.#due = false;
    this.send();
  }
}
