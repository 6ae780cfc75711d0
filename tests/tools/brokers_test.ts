import assert from "node:assert/strict";
import { withRows } from "../trials/brokers/brokers.ts";

Deno.test("a row takes the place of its broker's, the others stay, and all are in order", () => {
  const page = (...rows: string[]) =>
    `# Kafka\n<!-- brokers -->\n\n| broker | contract of the log |\n| --- | --- |\n${
      rows.join("\n")
    }\n\n<!-- /brokers -->\nThe end\n`;
  const names = ["old", "new", "foreign"];
  const before = page("| old     | 55 of 57            |", "| foreign | 57 of 57            |");
  assert.equal(
    withRows(before, new Map([["new", "1 of 2"], ["old", "57 of 57"]]), names),
    page("| old | 57 of 57 |", "| new | 1 of 2 |", "| foreign | 57 of 57 |"),
  );
});
