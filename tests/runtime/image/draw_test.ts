import assert from "node:assert/strict";
import {
  type Channels,
  drawLabelledBox,
  drawText,
  fillBox,
  outlineBox,
  type RawImage,
  textSize,
} from "../../../runtime/image/mod.ts";

function blank(width: number, height: number, channels: Channels = 1): RawImage {
  const data = new Uint8Array(width * height * channels);
  return { data, width, height, channels, release: () => {} };
}

/** A grey picture as text: `#` where something was drawn. */
function show({ data, width, height }: RawImage): string[] {
  return Array.from(
    { length: height },
    (_, y) => Array.from(data.subarray(y * width, (y + 1) * width), (v) => v ? "#" : ".").join(""),
  );
}

Deno.test("outlineBox draws inside the box and cuts off what lies outside the picture", () => {
  const inside = blank(8, 6);
  outlineBox(inside, [1, 1, 7, 5], [255, 255, 255], 1);
  assert.deepEqual(show(inside), [
    "........",
    ".######.",
    ".#....#.",
    ".#....#.",
    ".######.",
    "........",
  ]);
  const across = blank(8, 6);
  outlineBox(across, [-3, -3, 4, 3], [255, 255, 255], 1);
  assert.deepEqual(show(across), [
    "...#....",
    "...#....",
    "####....",
    "........",
    "........",
    "........",
  ]);
});

Deno.test("fillBox draws colours, and their luma on grey", () => {
  for (const channels of [3, 4] as const) {
    const image = blank(2, 1, channels);
    fillBox(image, [1, 0, 9, 9], [10, 20, 30]);
    const pixel = channels === 3 ? [10, 20, 30] : [10, 20, 30, 255];
    assert.deepEqual([...image.data], [...new Array(channels).fill(0), ...pixel]);
  }
  const grey = blank(1, 1);
  fillBox(grey, [0, 0, 1, 1], [255, 0, 0]);
  assert.deepEqual([...grey.data], [76]);
});

Deno.test("drawText writes legible letters of the size that textSize says", () => {
  const image = blank(18, 9);
  drawText(image, "Fr7", 0, 1, { scale: 1 });
  assert.deepEqual(show(image), [
    "..................",
    "#####.......#####.",
    "#...............#.",
    "#.....#.##.....#..",
    "####..##..#...#...",
    "#.....#......#....",
    "#.....#......#....",
    "#.....#......#....",
    "..................",
  ]);
  assert.deepEqual(textSize("Fr7", 1), { width: 17, height: 7 });
  assert.deepEqual(textSize("", 3), { width: 0, height: 21 });
});

Deno.test("every character has a shape of its own", () => {
  const shapes = new Map<string, string>();
  for (let code = 33; code < 127; code++) {
    const image = blank(6, 8);
    drawText(image, String.fromCharCode(code), 0, 0, { scale: 1 });
    const shape = show(image).join("\n");
    assert.ok(shape.includes("#"), `nothing drawn for ${String.fromCharCode(code)}`);
    assert.equal(shapes.get(shape), undefined, `${String.fromCharCode(code)} looks like another`);
    shapes.set(shape, String.fromCharCode(code));
  }
  const unknown = blank(6, 8);
  drawText(unknown, "\u{1F600}", 0, 0, { scale: 1 });
  assert.equal(show(unknown)[0], "#####.");
});

Deno.test("drawLabelledBox keeps its text inside the picture", () => {
  const image = blank(120, 60);
  drawLabelledBox(image, [80, 2, 118, 50], "motion", [255, 255, 0], 1);
  const rows = show(image);
  // The background of the label begins in the box, left enough for all of it.
  assert.equal(rows[5]!.lastIndexOf("#"), 117);
  assert.ok(rows[5]!.indexOf("#") < 90);
  assert.equal(rows[0]!.includes("#"), false);
});
