// The stateful operator: state and timers per partition.
import { shown } from "../base/options.ts";
import { arrayOf, type Operator } from "../definition/operator.ts";
import { checkJsonState } from "./json_state.ts";

/**
 * The clock of timers: the machine's, or the capture times of the items (Spark's `TimeMode`). With
 * `event`, reprocessing old footage behaves like a live run: a timer fires before the first input
 * captured at or after its time.
 */
export type TimeMode = "processing" | "event";

/** Timers of a stateful processor; part of the state. */
export interface Timers {
  /**
   * Calls `handleExpiredTimer` once at `time` (epoch milliseconds) or shortly after.
   *
   * @throws {RangeError} if it is not a valid time or, within `handleExpiredTimer`, not after that
   * call's time.
   */
  register(time: number): void;
  /** Removes a registered time, if it exists. */
  delete(time: number): void;
  /** Registered times, earliest first. */
  list(): readonly number[];
}

/** User code with state in each partition. */
export interface StateProcessor<State, In, Out> {
  /** Names the state in the checkpoint: keep it when the step moves within the query. */
  readonly name: string;
  /** The clock of timers; `processing` by default. */
  readonly timeMode?: TimeMode;
  /** The initial state, which JSON must preserve. */
  init(): State;
  /** Processes the next input in order; may change `state` in place. */
  handleInput(state: State, input: In, timers: Timers): readonly Out[] | Promise<readonly Out[]>;
  /** Called at a registered time, in order with the inputs. */
  handleExpiredTimer?(
    state: State,
    time: number,
    timers: Timers,
  ): readonly Out[] | Promise<readonly Out[]>;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();

export function stateOperator<State, In, Out>(
  processor: StateProcessor<State, In, Out>,
): Operator<In, Out> {
  const { name, timeMode = "processing" } = processor ?? {};
  if (timeMode !== "processing" && timeMode !== "event") {
    throw new RangeError(
      `Cannot use timeMode ${shown(timeMode)} of ${name}: expected processing or event`,
    );
  }
  if (typeof name !== "string" || name === "") {
    throw new RangeError(
      `Cannot keep the state of a step named ${shown(name)}: expected text`,
    );
  }
  for (const method of ["init", "handleInput", "handleExpiredTimer"] as const) {
    if (typeof processor[method] === "function") continue;
    if (method === "handleExpiredTimer" && processor[method] === undefined) continue;
    throw new TypeError(
      `Cannot use ${method} of ${name}: expected a function, given ${String(processor[method])}`,
    );
  }
  return {
    name,
    kind: "state",
    open(context) {
      const restored = context.state === undefined
        ? undefined
        : JSON.parse(decoder.decode(context.state)) as { state: State; timers: number[] };
      const state = restored?.state ?? processor.init();
      let times = restored?.timers ?? [];
      // Prevents a handler from registering its own time, which would loop.
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
          let place = times.length;
          while (place > 0 && times[place - 1]! > time) place--;
          if (times[place - 1] !== time) times.splice(place, 0, time);
        },
        delete(time) {
          times = times.filter((other) => other !== time);
        },
        list: () => [...times],
      };
      const usesEventTime = timeMode === "event";
      /** Removes a timer, and calls its handler. */
      const expire = (time: number) => {
        timers.delete(time);
        handling = time;
        return processor.handleExpiredTimer?.(state, time, timers) ?? [];
      };
      return {
        process(input) {
          handling = -Infinity;
          const time = usesEventTime ? captureTimeOf(input) : undefined;
          if (time === undefined || times[0] === undefined || times[0] > time) {
            return processor.handleInput(state, input, timers);
          }
          return (async () => {
            const outputs: Out[] = [];
            // Timers registered meanwhile fire with the next input.
            for (const due of times.filter((one) => one <= time)) {
              // An earlier one may have deleted it.
              if (times.includes(due)) outputs.push(...arrayOf(await expire(due) ?? []));
            }
            handling = -Infinity;
            return [...outputs, ...arrayOf(await processor.handleInput(state, input, timers))];
          })();
        },
        nextTimer: () => usesEventTime ? undefined : times[0],
        onTimer: (now) => times[0] === undefined || times[0] > now ? [] : expire(times[0]),
        snapshot() {
          checkJsonState(processor.name, state);
          return encoder.encode(JSON.stringify({ state, timers: times }));
        },
        stateSize: () => ({ items: 1, bytes: (JSON.stringify(state) ?? "").length }),
      };
    },
  };
}

/** The capture time of an item; for a window, of its last frame. */
function captureTimeOf(item: unknown): number | undefined {
  if (typeof item !== "object" || item === null) return undefined;
  const { timestamp, lastTimestamp = timestamp } = item as {
    timestamp?: unknown;
    lastTimestamp?: unknown;
  };
  return typeof lastTimestamp === "number" ? lastTimestamp : undefined;
}
