// The inputs that one operator has failed on too often, in this run and in earlier ones.
import { OperatorError, type OperatorErrorPolicy } from "../definition/operator_error.ts";
import type { FailedInput, OperatorPlace } from "../definition/operator_error.ts";

/** An input that an operator failed on in earlier runs: it is not given it again. */
export interface InputAside extends FailedInput {
  readonly message: string;
  readonly stack?: string;
}

/** What a restart needs to know of a step's errors. */
export interface StepErrors {
  /** Offsets of the inputs that were put aside. */
  readonly aside?: readonly number[];
  /** Inputs put aside since the last success. */
  readonly inARow?: number;
}

/** What one operator was not given, or failed on. */
export class PutAside {
  readonly #place: OperatorPlace;
  readonly #limit: number;
  /** Inputs that earlier runs have put aside, by offset. */
  readonly #skipped: ReadonlyMap<number, Error>;
  /** Timers that earlier runs have put aside: what they throw is only reported. */
  readonly #timers: ReadonlySet<number>;
  /** Offsets of all inputs put aside, for the checkpoint. */
  readonly #offsets: Set<number>;
  #inARow: number;
  #succeeded = false;
  #last: OperatorError | undefined;

  /**
   * @param aside what the driver gives the run.
   * @param errors what the checkpoint says.
   */
  constructor(
    operator: string,
    place: OperatorPlace,
    policy: OperatorErrorPolicy,
    aside: readonly InputAside[],
    errors: StepErrors,
  ) {
    this.#place = place;
    this.#limit = policy.kind === "dead-letter" ? policy.maxInARow : Infinity;
    const own = aside.filter((input) => input.operator === operator);
    this.#skipped = new Map([
      ...(errors.aside ?? []).map((offset) => [offset, new Error("Put aside before")] as const),
      ...own.filter(({ timer }) => timer === undefined).map(({ offset, message, stack }) =>
        [offset, Object.assign(new Error(message), { stack })] as const
      ),
    ]);
    this.#timers = new Set(own.flatMap(({ timer }) => timer ?? []));
    this.#offsets = new Set(errors.aside);
    this.#inARow = errors.inARow ?? 0;
  }

  /** The error of an input that earlier runs have put aside. */
  skipped(offset: number): Error | undefined {
    return this.#skipped.size === 0 ? undefined : this.#skipped.get(offset);
  }

  /** Whether earlier runs have put a timer aside. */
  holdsTimer(time: number): boolean {
    return this.#timers.has(time);
  }

  /** The operator has succeeded. Returns whether it had failed before. */
  passed(): boolean {
    this.#succeeded = true;
    const failed = this.#inARow > 0;
    this.#inARow = 0;
    return failed;
  }

  /** Remembers an input, so that frames read again after a restart go the same way. */
  remember(offset: number): void {
    this.#offsets.add(offset);
  }

  /**
   * Counts an input.
   *
   * @throws {OperatorError} `OPERATOR_FAILED` when it is one too many in a row.
   */
  count(failure: OperatorError): void {
    this.#inARow++;
    this.#last = failure;
    if (this.#inARow >= this.#limit) {
      throw this.#final(failure, `it has failed on ${this.#inARow} inputs in a row`);
    }
  }

  get failedOnAll(): OperatorError | undefined {
    if (this.#inARow === 0 || this.#succeeded || this.#last === undefined) return undefined;
    return this.#final(this.#last, "it has failed on every frame");
  }

  /** What a restart from `restart` on needs to know; undefined when nothing. */
  errors(restart: number): StepErrors | undefined {
    for (const offset of this.#offsets) if (offset < restart) this.#offsets.delete(offset);
    if (this.#offsets.size === 0 && this.#inARow === 0) return undefined;
    return { aside: [...this.#offsets], inARow: this.#inARow };
  }

  #final({ operator, input, cause }: OperatorError, why: string): OperatorError {
    return new OperatorError(input ?? { operator }, this.#place, cause, {
      final: true,
      why: `; ${why}`,
    });
  }
}
