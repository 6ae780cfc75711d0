// Watches the cameras' sequence numbers. Gaps, duplicates and reorderings are counted and shown;
// frames pass as the log has them.
import type { Frame } from "../definition/frame.ts";

const SESSIONS_REMEMBERED = 8;

/** Sessions in a checkpoint. */
const SESSIONS_SAVED = 2;
/** Longer names are not kept in a checkpoint. */
const LONGEST_NAME = 120;

/**
 * Sessions of cameras and the last number of each, oldest first. The newest also has what was dropped
 * since: how many frames, and the offset that follows them.
 */
export type SeenSequences =
  readonly (readonly [name: string, last: number, dropped?: number, until?: number])[];

interface Session {
  readonly name: string;
  last: number;
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
  /** Dropped frames whose numbers have not been missed yet, all of them below an offset. */
  #dropped = 0;
  #until = 0;

  /** @param onTwoCameras called once if two sessions alternate on the partition */
  constructor(onTwoCameras: (sessions: readonly [string, string]) => void) {
    this.#onTwoCameras = onTwoCameras;
  }

  see({ key, offset, headers: { session, seq } }: Frame): void {
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
      const missed = number - current.last - 1;
      const excused = Math.min(missed, this.#dropped);
      this.gaps += missed - excused;
      this.#dropped -= excused;
      current.last = number;
    } else if (number === current.last) this.duplicates++;
    else this.orderViolations++;
    // The others had no number, or none that is missed.
    if (offset >= this.#until) this.#dropped = 0;
  }

  /** Makes a session the newest one. */
  #enter(name: string, number: number): void {
    const newest = this.#sessions.at(-1);
    if (newest?.name === name) return;
    const known = this.#sessions.find((session) => session.name === name);
    const others = this.#sessions.filter((session) => session !== known);
    this.#sessions = [...others, known ?? { name, last: number - 1 }]
      .slice(-SESSIONS_REMEMBERED);
    // A session that resumes after another one has not ended: two cameras share the partition.
    if (known === undefined || this.#reported) return;
    this.#reported = true;
    this.#onTwoCameras([newest!.name, name]);
  }

  /** For the checkpoint, so that gaps are detected across restarts. */
  get seen(): SeenSequences {
    const dropped: [count?: number, until?: number] = this.#dropped === 0
      ? []
      : [this.#dropped, this.#until];
    return this.#sessions.slice(-SESSIONS_SAVED)
      .filter(({ name }) => name.length <= LONGEST_NAME)
      .map(({ name, last }, i, { length }) =>
        i + 1 < length ? [name, last] : [name, last, ...dropped]
      );
  }

  restore(seen: SeenSequences): void {
    this.#sessions = seen.map(([name, last]) => ({ name, last }));
    [, , this.#dropped = 0, this.#until = 0] = seen.at(-1) ?? [];
  }

  /** Whether frames of the same session were seen before. */
  knows({ key, headers: { session } }: Frame): boolean {
    return session !== undefined &&
      this.#sessions.some(({ name }) => name === nameOf(key, session));
  }

  /** This many frames below offset `until` were dropped and counted: they do not count as a gap. */
  drop(count: number, until: number): void {
    this.#dropped += count;
    this.#until = until;
  }
}

function nameOf(key: string | null, session: string): string {
  return `${key ?? ""}/${session}`;
}
