import assert from "node:assert/strict";
import { SETTINGS } from "../../cameras/settings.ts";

Deno.test("a size is refused at once if queries would refuse its frames", () => {
  assert.deepEqual(SETTINGS.size.parse!("8192x7812"), { width: 8192, height: 7812 });
  for (const size of ["8192x7813", "8193x16", "16x15", "640", ""]) {
    assert.throws(
      () => SETTINGS.size.parse!(size),
      /^Error: expected WIDTHxHEIGHT, each 16 to 8192, 64 megapixels at most, such as 640x480$/,
    );
  }
});

Deno.test("a camera's name takes every script and emoji, and nothing that hides or turns text", () => {
  const takes = (name: string) => {
    try {
      return SETTINGS.name.parse!(name) === name;
    } catch (error) {
      assert.match((error as Error).message, /^expected 1 to 100 characters, without control/);
      return false;
    }
  };
  const good = ["Küche", "می‌خواهم", "क्‍ष", "👨‍👩‍👧 Hof", "🏴󠁧󠁢󠁥󠁮󠁧󠁿", "🎥".repeat(100)];
  for (const name of good) assert.ok(takes(name), name);
  const bad = [
    "",
    " ",
    "\u200d",
    "a\tb",
    "\x1b[31m",
    "\u2028",
    "\u202etxt",
    "\u2066x",
    "\ud800",
    "x".repeat(101),
  ];
  for (const name of bad) assert.ok(!takes(name), JSON.stringify(name));
});
