// Help of commands, in the width of the terminal.
import type { Command, Option } from "./command.ts";

/** An option's help, with the actions that take it. */
export function helpOf({ actions, help }: Option): string {
  return actions === undefined ? help : `${actions.join(", ")}: ${help}`;
}

/**
 * Help text of a command, from its table.
 *
 * @param columns width of the terminal
 */
export function help(command: Command, columns = 100): string {
  const rows = Object.entries(command.options).map(([name, option]) => {
    const flag = option.switch ? `--[no-]${name}` : `--${name} ${option.value ?? "VALUE"}`;
    const ending = option.required
      ? " (required)"
      : option.default === undefined || option.default === false
      ? ""
      : ` (default ${String(option.default)})`;
    return [flag + (option.multiple ? " …" : ""), helpOf(option) + ending] as const;
  });
  return [
    ...wrapped(usageOf(command), columns - 4).map((line, i) => i === 0 ? line : `    ${line}`),
    "",
    ...wrapped(command.summary, columns),
    "",
    ...columnsOf(rows, columns),
    "",
    ...wrapped(
      "Each option has an environment variable, FRAMELANE_ and its name in capitals; the flag wins. " +
        "Exit codes: 0 done, 1 failed, 2 wrong use.",
      columns,
    ),
  ].join("\n");
}

export function usageOf({ name, positionals }: Command): string {
  return ["deno task", name, positionals, "[OPTIONS]"].filter((word) => word).join(" ");
}

/** Names and descriptions in two columns, or below each other on a narrow terminal. */
export function columnsOf(
  rows: readonly (readonly [string, string])[],
  columns: number,
): string[] {
  const widest = Math.max(0, ...rows.map(([name]) => name.length));
  const longest = Math.max(0, ...rows.flatMap(([, text]) => text.split(" ")).map((w) => w.length));
  const beside = widest <= columns / 2 && widest + 4 + longest <= columns;
  const indent = beside ? widest + 4 : 6;
  return rows.flatMap(([name, text]) => {
    const lines = wrapped(text, columns - indent).map((line) => " ".repeat(indent) + line);
    return beside
      ? [`  ${name.padEnd(widest)}  ${lines[0]?.trimStart() ?? ""}`, ...lines.slice(1)]
      : [`  ${name}`, ...lines];
  });
}

/** Wraps a text; a longer word gets a line of its own. */
export function wrapped(text: string, columns: number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    if (line !== "" && line.length + 1 + word.length > columns) {
      lines.push(line);
      line = word;
    } else line = line === "" ? word : `${line} ${word}`;
  }
  return [...lines, line];
}
