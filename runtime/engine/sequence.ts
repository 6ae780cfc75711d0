// Watches the cameras' sequence numbers. Gaps, duplicates and reorderings are counted and shown;
// frames pass as the log has them.
import type { Frame } from "../definition/frame.ts";

const SESSIONS_REMEMBERED = 8;

/** Sessions in a checkpoint. */
const SESSIONS_SAVED = 2;
/** Longer names are not kept in a checkpoint. */
const LONGEST_NAME = 120;

/** Sessions of cameras and the last number of each, oldest first. */
export type SeenSequences = readonly (readonly [name: string, last: number])[];

export class SequenceTracker {
  gaps = 0;
  duplicates = 0;
  orderViolations = 0;
  readonly #last = new Map<string, number>();
  readonly #onTwoCameras: (sessions: readonly [string, string]) => void;
  #current: string | undefined;
  #reported = false;

  /** @param onTwoCameras called once if two sessions alternate on the partition */
  constructor(onTwoCameras: (sessions: readonly [string, string]) => void) {
    this.#onTwoCameras = onTwoCameras;
  }

  see(frame: Frame): void {
    const { session, seq } = frame.headers;
    if (session === undefined || seq === undefined) return;
    const number = Number(seq);
    if (!Number.isSafeInteger(number) || number < 0) return;
    const name = nameOf(frame.key, session);
    const last = this.#last.get(name);
    if (name !== this.#current) {
      // A session that resumes after another one has not ended: two cameras share the partition.
      if (last !== undefined && this.#current !== undefined && !this.#reported) {
        this.#reported = true;
        this.#onTwoCameras([this.#current, name]);
      }
      this.#current = name;
    }
    if (last === undefined || number === last + 1) this.#remember(name, number);
    else if (number > last) {
      this.gaps += number - last - 1;
      this.#remember(name, number);
    } else if (number === last) this.duplicates++;
    else this.orderViolations++;
  }

  /** For the checkpoint, so that gaps are detected across restarts. */
  get seen(): SeenSequences {
    return [...this.#last].slice(-SESSIONS_SAVED).filter(([name]) => name.length <= LONGEST_NAME);
  }

  restore(seen: SeenSequences): void {
    for (const [name, last] of seen) this.#remember(name, last);
    this.#current = seen.at(-1)?.[0];
  }

  /** Whether frames of the same session were seen before. */
  knows({ key, headers: { session } }: Frame): boolean {
    return session !== undefined && this.#last.has(nameOf(key, session));
  }

  /** Frames were dropped on purpose: the next number is no gap. */
  skip(): void {
    this.#last.clear();
  }

  #remember(name: string, number: number): void {
    this.#last.delete(name);
    this.#last.set(name, number);
    if (this.#last.size > SESSIONS_REMEMBERED) {
      this.#last.delete(this.#last.keys().next().value!);
    }
  }
}

function nameOf(key: string | null, session: string): string {
  return `${key ?? ""}/${session}`;
}
