// Describes failures to users: the message and its causes, without secrets and stack.
import { maskSecrets } from "../runtime/base/mask.ts";

/** Errors whose message alone does not show that the program is at fault. */
const PROGRAMMING_ERRORS = new Set(["TypeError", "ReferenceError", "RangeError", "SyntaxError"]);

/**
 * The message of a failure and its causes, one per line, with secrets masked. With `stack`, their stacks
 * instead.
 */
export function describeFailure(failure: unknown, { stack = false } = {}): string {
  const lines: string[] = [];
  const seen = new Set<unknown>();
  const describe = (failure: unknown, depth: number) => {
    if (seen.has(failure)) return;
    seen.add(failure);
    const text = textOf(failure, stack);
    const start = depth === 0 ? "" : `${"  ".repeat(depth)}because: `;
    // Skip causes that only repeat an earlier message.
    const news = text.replace(/^\w+Error: | \(os error \d+\)$/g, "").toLowerCase();
    if (!lines.some((line) => line.toLowerCase().includes(news))) lines.push(start + text);
    if (!(failure instanceof Error)) return;
    const errors = failure instanceof AggregateError ? failure.errors : [];
    for (const cause of [...errors, failure.cause]) {
      if (cause !== undefined) describe(cause, depth + 1);
    }
  };
  describe(failure, 0);
  return maskSecrets(lines.join("\n"));
}

function textOf(failure: unknown, stack: boolean): string {
  if (!(failure instanceof Error)) return String(failure);
  if (stack && failure.stack) return failure.stack;
  if (failure.message === "") return failure.name;
  return PROGRAMMING_ERRORS.has(failure.name)
    ? `${failure.name}: ${failure.message}`
    : failure.message;
}
