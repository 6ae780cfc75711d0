// Inputs that one operator has failed on too often, in this run and in earlier ones.
import { OperatorError, type OperatorErrorPolicy } from "../definition/operator_error.ts";
import type { FailedInput, OperatorPlace } from "../definition/operator_error.ts";

/** An input dead-lettered by an earlier run. */
export interface DeadInput extends FailedInput {
  readonly message: string;
  readonly stack?: string;
}

/** What the checkpoint keeps of a step's errors. */
export interface StepErrors {
  /** Offsets of the dead-lettered inputs. */
  readonly aside?: readonly number[];
  /** Inputs dead-lettered since the last success. */
  readonly inARow?: number;
}

export class DeadInputs {
  readonly #place: OperatorPlace;
  readonly #limit: number;
  /** The errors of inputs dead-lettered by earlier runs. */
  readonly #errors: ReadonlyMap<number, Error>;
  /** Timers dead-lettered by earlier runs: their errors are only reported. */
  readonly #timers: ReadonlySet<number>;
  /** Offsets of all dead-lettered inputs, for the checkpoint. */
  readonly #offsets: Set<number>;
  #inARow: number;
  #succeeded = false;
  #last: OperatorError | undefined;

  /**
   * @param dead from the driver.
   * @param errors from the checkpoint.
   */
  constructor(
    operator: string,
    place: OperatorPlace,
    policy: OperatorErrorPolicy,
    dead: readonly DeadInput[],
    errors: StepErrors,
  ) {
    this.#place = place;
    this.#limit = policy.kind === "dead-letter" ? policy.maxInARow : Infinity;
    const own = dead.filter((input) => input.operator === operator);
    this.#errors = new Map([
      ...(errors.aside ?? []).map((offset) => [offset, new Error("Dead-lettered before")] as const),
      ...own.filter(({ timer }) => timer === undefined).map(({ offset, message, stack }) =>
        [offset, Object.assign(new Error(message), { stack })] as const
      ),
    ]);
    this.#timers = new Set(own.flatMap(({ timer }) => timer ?? []));
    this.#offsets = new Set(errors.aside);
    this.#inARow = errors.inARow ?? 0;
  }

  /** The error of an input dead-lettered before. */
  errorAt(offset: number): Error | undefined {
    return this.#errors.get(offset);
  }

  holdsTimer(time: number): boolean {
    return this.#timers.has(time);
  }

  /** The operator has succeeded; returns whether it had failed before. */
  passed(): boolean {
    this.#succeeded = true;
    const failed = this.#inARow > 0;
    this.#inARow = 0;
    return failed;
  }

  /** Remembers an input, so that frames re-read after a restart are treated the same. */
  remember(offset: number): void {
    this.#offsets.add(offset);
  }

  /** @throws {OperatorError} `OPERATOR_FAILED` when it is one too many in a row. */
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

  /** The errors that a restart from `restart` must know; undefined when there are none. */
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
