import assert from "node:assert/strict";
import { ProgressBar, terminalColumns } from "../../cli/progress_bar.ts";

/** Erases the rest of the line. */
const ERASE = "\x1b[K";

/** A terminal, or a pipe, that keeps what is written. */
function stream(terminal: boolean) {
  const written: string[] = [];
  return {
    written,
    isTerminal: () => terminal,
    // Takes what it likes, as a terminal may.
    writeSync(bytes: Uint8Array) {
      const taken = bytes.subarray(0, 64);
      written.push(new TextDecoder("utf-8", { fatal: false }).decode(taken, { stream: true }));
      return taken.length;
    },
    text() {
      return written.join("");
    },
  };
}

Deno.test("progress bar: share, note and count on a terminal, ten times a second at most", () => {
  const terminal = stream(true);
  let time = 0;
  const bar = new ProgressBar({
    title: "Film",
    stream: terminal,
    columns: () => 70,
    now: () => time,
  });
  for (let done = 0; done < 50; done++) {
    time += 10;
    bar.update(done, 100, `${done} frames`);
  }
  const draws = terminal.text().split("\r").slice(1);
  assert.equal(draws.length, 5);
  assert.match(draws[4]!, /^Film █+.?·+ {2}40 % 40 frames/);
  assert.ok(draws[4]!.endsWith(ERASE));
  bar.update(100, 100, "100 frames");
  assert.ok(terminal.text().endsWith(`100 % 100 frames${ERASE}`));
  bar.clear();
  assert.ok(terminal.text().endsWith("\r\x1b[K"));
  bar.update(3, undefined, "3 frames");
  assert.ok(terminal.text().endsWith(`\rFilm 3 frames${ERASE}`));
});

Deno.test("progress bar: never wider than the terminal, silent elsewhere", () => {
  const narrow = stream(true);
  new ProgressBar({ title: "A very long title", stream: narrow, columns: () => 12 })
    .update(1, 2, "and a note");
  assert.equal(narrow.text(), "\rA very long\x1b[K");
  const pipe = stream(false);
  const bar = new ProgressBar({ title: "Film", stream: pipe });
  bar.update(1, 2, "x");
  bar.clear();
  assert.equal(pipe.text(), "");
});

Deno.test("a terminal that does not know its size has 80 columns", () => {
  const { consoleSize } = Deno;
  try {
    Deno.consoleSize = () => ({ columns: 0, rows: 0 });
    assert.equal(terminalColumns(), 80);
  } finally {
    Deno.consoleSize = consoleSize;
  }
});
