// Matches the states of a checkpoint with the steps of the query, by name.
import type { Operator } from "../definition/operator.ts";
import { LogError } from "../log/log.ts";

export interface StepState {
  /** Missing in checkpoints of versions that stored state by position. */
  readonly name?: string;
  readonly kind?: "window" | "state";
  /** Offset of the first frame the operator must see again; null: only new ones. */
  readonly restart: number | null;
  /** Once it is restored, its outputs are the same from this offset on; missing: from the checkpoint's on. */
  readonly end?: number;
  /** Base64. */
  readonly state: string | null;
  /** The step has already dropped the state that the checkpoint held before. */
  readonly dropped?: true;
}

type AnyOperator = Operator<unknown, unknown>;

/** Names of the steps; stateless steps with the same name are numbered from the second on. */
export function stepNames(operators: readonly AnyOperator[]): string[] {
  const times = new Map<string, number>();
  return operators.map(({ name }) => {
    const time = (times.get(name) ?? 0) + 1;
    times.set(name, time);
    return time === 1 ? name : `${name}#${time}`;
  });
}

export interface MatchedStates<S> {
  /** In the order of the operators. */
  readonly states: readonly (S | undefined)[];
  /** How the query differs from the one that wrote the checkpoint, in words. */
  readonly changes: readonly string[];
}

/**
 * Assigns each step its saved state.
 *
 * @param dropped names of steps whose state the query drops
 * @throws {LogError} `CHECKPOINT_CHANGED` if the checkpoint holds state that belongs to no step
 */
export function matchStates<S extends StepState>(
  query: string,
  operators: readonly AnyOperator[],
  saved: readonly S[],
  dropped: readonly string[] = [],
): MatchedStates<S> {
  const holds = ({ state, restart }: S) => state !== null || restart !== null;
  const none = operators.map(() => undefined);
  if (saved.length === 0) return { states: none, changes: [] };
  if (saved.every(({ name }) => name === undefined)) {
    const fits = saved.length === operators.length &&
      saved.every((one, index) => !holds(one) || operators[index]!.kind !== undefined);
    if (fits || !saved.some(holds)) return { states: fits ? saved : none, changes: [] };
    throw new LogError(
      "CHECKPOINT_CHANGED",
      `Cannot resume query ${query}: an earlier version wrote its checkpoint by the positions of ${saved.length} steps, and the query now has other steps: ${
        operators.map(({ name }) => name).join(", ") || "none"
      }. Run the original query once with this version, or reset the checkpoint`,
    );
  }
  const names = stepNames(operators);
  const byName = new Map(saved.map((one) => [one.name!, one]));
  const changes: string[] = [];
  const states = names.map((name, index) => {
    const operator = operators[index]!;
    const found = byName.get(name);
    byName.delete(name);
    if (operator.kind === undefined) return found;
    const drops = operator.state === "drop" || dropped.includes(name);
    if (found === undefined) changes.push(`step ${name} is new and begins without state`);
    else if (drops && found.dropped !== true && holds(found)) {
      changes.push(`step ${name} drops its state`);
      return undefined;
    }
    return found;
  });
  for (const [name, one] of byName) {
    if (!holds(one)) continue;
    if (one.kind === "state" && !dropped.includes(name)) throw changed(query, name, names);
    changes.push(
      one.kind === "state"
        ? `the state of step ${name} is dropped`
        : `step ${name} is gone, and the frames that it held with it`,
    );
  }
  return { states, changes };
}

/** The name of a step's state in the next checkpoint. */
export function namedState(
  name: string,
  { kind, state }: AnyOperator,
): Pick<StepState, "name" | "kind" | "dropped"> {
  return {
    name,
    ...(kind === undefined ? {} : { kind }),
    ...(state === "drop" ? { dropped: true as const } : {}),
  };
}

function changed(query: string, name: string, names: readonly string[]): LogError {
  return new LogError(
    "CHECKPOINT_CHANGED",
    `Cannot resume query ${query}: its checkpoint holds state of a step named ${
      JSON.stringify(name)
    }, and the query has ${
      names.map((one) => JSON.stringify(one)).join(", ") || "no steps"
    }. Give a step that name again, with .process(operator, { name: ${
      JSON.stringify(name)
    } }), or drop the state with .dropState(${JSON.stringify(name)})`,
  );
}
