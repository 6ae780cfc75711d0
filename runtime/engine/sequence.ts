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

interface Session {
  readonly name: string;
  last: number;
  /** Frames dropped since, perhaps its own. */
  skipped: number;
}

export class SequenceTracker {
  gaps = 0;
  duplicates = 0;
  orderViolations = 0;
  readonly #onTwoCameras: (sessions: readonly [string, string]) => void;
  /** The newest is last: nearly all frames are of its camera. */
  #sessions: Session[] = [];
  /** The newest frame's, so that no name is made for the next one. */
  #key: string | null = null;
  #session: string | undefined;
  #reported = false;

  /** @param onTwoCameras called once if two sessions alternate on the partition */
  constructor(onTwoCameras: (sessions: readonly [string, string]) => void) {
    this.#onTwoCameras = onTwoCameras;
  }

  see({ key, headers: { session, seq } }: Frame): void {
    if (session === undefined || seq === undefined) return;
    const number = Number(seq);
    if (!Number.isSafeInteger(number) || number < 0) return;
    if (session !== this.#session || key !== this.#key) {
      this.#enter(nameOf(key, session), number);
      this.#key = key;
      this.#session = session;
    }
    const current = this.#sessions.at(-1)!;
    if (number > current.last) {
      this.gaps += Math.max(0, number - current.last - 1 - current.skipped);
      current.last = number;
      current.skipped = 0;
    } else if (number === current.last) this.duplicates++;
    else this.orderViolations++;
  }

  /** Makes a session the newest one. */
  #enter(name: string, number: number): void {
    const newest = this.#sessions.at(-1);
    if (newest?.name === name) return;
    const known = this.#sessions.find((session) => session.name === name);
    const others = this.#sessions.filter((session) => session !== known);
    this.#sessions = [...others, known ?? { name, last: number - 1, skipped: 0 }].slice(
      -SESSIONS_REMEMBERED,
    );
    // A session that resumes after another one has not ended: two cameras share the partition.
    if (known === undefined || this.#reported) return;
    this.#reported = true;
    this.#onTwoCameras([newest!.name, name]);
  }

  /** For the checkpoint, so that gaps are detected across restarts. */
  get seen(): SeenSequences {
    return this.#sessions.slice(-SESSIONS_SAVED)
      .filter(({ name, skipped }) => name.length <= LONGEST_NAME && skipped === 0)
      .map(({ name, last }) => [name, last]);
  }

  restore(seen: SeenSequences): void {
    this.#sessions = seen.map(([name, last]) => ({ name, last, skipped: 0 }));
  }

  /** Whether frames of the same session were seen before. */
  knows({ key, headers: { session } }: Frame): boolean {
    return session !== undefined &&
      this.#sessions.some(({ name }) => name === nameOf(key, session));
  }

  /** This many frames were dropped and counted: they do not count as a gap. */
  skip(count: number): void {
    for (const session of this.#sessions) session.skipped += count;
  }
}

function nameOf(key: string | null, session: string): string {
  return `${key ?? ""}/${session}`;
}
