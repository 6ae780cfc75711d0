/**
 * The stateful operator: a state per partition, and timers.
 *
 * @module
 */
import type { Operator } from "../definition/operator.ts";
import { checkJsonState } from "./json_state.ts";

/** Timers of a stateful processor; part of the state. */
export interface Timers {
  /**
   * Calls `handleExpiredTimer` once at `time` (epoch milliseconds) or soon after.
   *
   * @throws {RangeError} when it is no time, or, in `handleExpiredTimer`, none after that of the call.
   */
  register(time: number): void;
  /** Takes a registered time back; nothing happens when there is none. */
  delete(time: number): void;
  /** Registered times, earliest first. */
  list(): readonly number[];
}

/** User code with a state of its own in each partition. */
export interface StateProcessor<State, In, Out> {
  /** Names the state in the checkpoint: keep it, wherever the step stands in the query. */
  readonly name: string;
  /** The state before the first input. It must be what JSON gives back as it was. */
  init(): State;
  /** Takes the next input in order; may change `state` in place. */
  handleInput(state: State, input: In, timers: Timers): readonly Out[] | Promise<readonly Out[]>;
  /** Called when a registered time has come, in order with the inputs. */
  handleExpiredTimer?(
    state: State,
    time: number,
    timers: Timers,
  ): readonly Out[] | Promise<readonly Out[]>;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** An operator with state, made of a processor. */
export function stateOperator<State, In, Out>(
  processor: StateProcessor<State, In, Out>,
): Operator<In, Out> {
  return {
    name: processor.name,
    kind: "state",
    open(context) {
      const restored = context.state === undefined
        ? undefined
        : JSON.parse(decoder.decode(context.state)) as { state: State; timers: number[] };
      const state = restored?.state ?? processor.init();
      let times = restored?.timers ?? [];
      // A handler that sets its own time again would be called without end.
      let handling = -Infinity;
      const timers: Timers = {
        register(time) {
          if (!Number.isFinite(time) || time <= handling) {
            const limit = handling === -Infinity
              ? ""
              : ` after ${handling}, which is being handled`;
            throw new RangeError(
              `Cannot register a timer of ${processor.name} at ${time}: expected epoch milliseconds${limit}`,
            );
          }
          if (!times.includes(time)) times = [...times, time].sort((a, b) => a - b);
        },
        delete(time) {
          times = times.filter((other) => other !== time);
        },
        list: () => times,
      };
      return {
        process(input) {
          handling = -Infinity;
          return processor.handleInput(state, input, timers);
        },
        nextTimer: () => times[0],
        onTimer(now) {
          const time = times[0];
          if (time === undefined || time > now) return [];
          times = times.slice(1);
          handling = time;
          return processor.handleExpiredTimer?.(state, time, timers) ?? [];
        },
        snapshot() {
          checkJsonState(processor.name, state);
          return encoder.encode(JSON.stringify({ state, timers: times }));
        },
        stateSize: () => ({ items: 1, bytes: JSON.stringify(state).length }),
      };
    },
  };
}
