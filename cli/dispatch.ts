// Finds the command, parses its arguments, runs it, and converts the outcome to an exit code.
import { nearest } from "../runtime/base/nearest.ts";
import { shown } from "../runtime/base/options.ts";
import { learnSecrets, maskSecrets } from "../runtime/base/mask.ts";
import {
  type Command,
  type CommandContext,
  type LogLevel,
  parseCommand,
  UsageError,
} from "./command.ts";
import { columnsOf, help } from "./help.ts";
import { asksForHelp, environmentName, optionText } from "./launch/arguments.ts";
import { describeFailure } from "./fault.ts";
import type { CommandEntry } from "./registry.ts";

const DEFAULT_COLUMNS = 80;
const EXIT = { done: 0, failed: 1, wrongUse: 2 } as const;

interface DispatchOptions {
  readonly commands: Readonly<Record<string, CommandEntry>>;
  readonly context: CommandContext;
  readonly environment: (name: string) => string | undefined;
  readonly version: string;
  /** Width of the terminal, for help. */
  readonly columns?: number;
  /** How a command is called here; messages say `deno task`. */
  readonly program?: string;
}

/**
 * Runs `COMMAND ARGS`. Never throws.
 *
 * @returns the exit code: 0 done, 1 failed, 2 wrong use
 */
export async function dispatch(
  argv: readonly string[],
  {
    commands,
    context: raw,
    environment,
    version,
    columns = DEFAULT_COLUMNS,
    program = import.meta.url.endsWith(".js") ? "npx framelane" : "deno task",
  }: DispatchOptions,
): Promise<number> {
  // Known before parsing, since faults of options are lines too.
  const json = optionText("log-format", {}, argv, environment) === "json";
  const asLine = (message: string, level: LogLevel) =>
    json ? JSON.stringify({ time: new Date().toISOString(), level, message }) : message;
  // Lines of JSON are data.
  const called = (text: string) =>
    text.startsWith("{") ? text : text.replaceAll("deno task ", `${program} `);
  const context: CommandContext = {
    signal: raw.signal,
    print: (line, secrets) => raw.print(called(secrets === "shown" ? line : maskSecrets(line))),
    say: (line, level = "info") => raw.say(asLine(called(maskSecrets(line)), level)),
  };
  const [name, ...rest] = argv;
  try {
    if (name === undefined || name === "--help" || name === "-h" || name === "help") {
      // Not masked: forms such as --token TOKEN look like secrets.
      const text = called(overview(commands, columns));
      if (name === undefined) raw.say(text);
      else raw.print(text);
      return name === undefined ? EXIT.wrongUse : EXIT.done;
    }
    if (name === "--version" || name === "-V") {
      context.print(version);
      return EXIT.done;
    }
    const load = Object.hasOwn(commands, name) ? commands[name]!.load : undefined;
    if (load === undefined) {
      const close = nearest(name, Object.keys(commands));
      context.say(
        `Unknown command ${shown(name)}${close ? `: did you mean ${close}?` : ""}\nCommands: ${
          Object.keys(commands).join(", ")
        }`,
        "error",
      );
      return EXIT.wrongUse;
    }
    const command = await load();
    if (asksForHelp(rest)) {
      raw.print(called(help(command, columns)));
      return EXIT.done;
    }
    learnFrom(command, rest, environment);
    return await run(command, rest, context, environment);
  } catch (error) {
    context.say(describeFailure(error), "error");
    return EXIT.failed;
  }
}

async function run(
  command: Command,
  argv: readonly string[],
  context: CommandContext,
  environment: (name: string) => string | undefined,
): Promise<number> {
  try {
    const args = await parseCommand(command, argv, environment);
    return await command.run(args, context);
  } catch (error) {
    // Stopped during startup.
    if (context.signal.aborted && error === context.signal.reason) return EXIT.done;
    const faults = faultsOf(error);
    if (faults === undefined) throw error;
    for (const fault of faults) context.say(fault, "error");
    context.say(`deno task ${command.name} --help lists what is accepted`);
    return EXIT.wrongUse;
  }
}

/** Faults of usage; undefined for other errors. Errors from executors keep only their name. */
function faultsOf(error: unknown): readonly string[] | undefined {
  if (error instanceof UsageError) return error.faults;
  if (!(error instanceof Error) || error.name !== "QueryOptionsError") return undefined;
  return [error.message];
}

/** Registers secrets in arguments and environment, so that they are masked everywhere. */
function learnFrom(
  command: Command,
  argv: readonly string[],
  environment: (name: string) => string | undefined,
): void {
  for (const [index, text] of argv.entries()) {
    learnSecrets(text);
    const secret = /^--[a-z-]*(?:token|password|secret)(?:=(.*))?$/is.exec(text);
    if (secret) learnWhole(secret[1] ?? argv[index + 1] ?? "");
  }
  for (const name of Object.keys(command.options)) {
    const text = environment(environmentName(name)) ?? "";
    learnSecrets(text);
    if (/token|password|secret/.test(name)) {
      for (const word of text.split(/\s+/)) learnWhole(word);
    }
  }
  learnWhole(environment("FRAMELANE_WEBHOOK_SECRET") ?? "");
}

/** Registers a secret, and the part before the last `=`, as in `TOKEN=1,3`. */
function learnWhole(text: string): void {
  learnSecrets(text, { whole: true });
  learnSecrets(text.replace(/=[^=]*$/, ""), { whole: true });
}

function overview(commands: DispatchOptions["commands"], columns: number): string {
  const rows = Object.entries(commands).map(([name, { summary }]) =>
    [name, summary.replace(/(?<=\.) .*/s, "")] as const
  );
  return [
    "deno task COMMAND [OPTIONS]",
    "",
    "Framelane runs one ordered query per camera.",
    "",
    ...columnsOf(rows, columns),
    "",
    "deno task COMMAND --help describes each command.",
  ].join("\n");
}
