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
  const { width, height } = textSize("Fr7", 2);
  assert.equal(height, 18);
  const image = blank(width + 4, height);
  drawText(image, "Fr7", 0, 0, { scale: 2 });
  const dark = (x: number, y: number) => image.data[y * image.width + x]!;
  // The stem of F reaches from the top of the capitals to the line on which they stand.
  const stem = Array.from({ length: height }, (_, y) => dark(2, y) + dark(3, y) > 200);
  assert.deepEqual(stem, Array.from({ length: height }, (_, y) => y < 14));
  // Its edges are smooth, and nothing is drawn behind the last letter.
  assert.ok(image.data.some((sample) => sample > 0 && sample < 255));
  for (let y = 0; y < height; y++) assert.equal(dark(width + 1, y), 0);
  assert.deepEqual(textSize("", 3), { width: 0, height: 27 });
});

Deno.test("every character has a shape of its own, accents and other alphabets too", () => {
  const shapes = new Map<string, string>();
  for (
    const character of [
      ...Array.from({ length: 94 }, (_, i) => String.fromCharCode(33 + i)),
      ..."ÄßŁžЖΩ€",
    ]
  ) {
    const image = blank(24, 32);
    drawText(image, character, 2, 8);
    const shape = image.data.toBase64();
    assert.ok(image.data.some((sample) => sample > 100), `nothing drawn for ${character}`);
    assert.equal(shapes.get(shape), undefined, `${character} looks like another`);
    shapes.set(shape, character);
  }
  const [unknown, other] = ["\u{1F600}", "\u65E5"].map((character) => {
    const image = blank(24, 32);
    drawText(image, character, 2, 8);
    return image.data.toBase64();
  });
  assert.equal(unknown, other);
  assert.equal(shapes.get(unknown!), undefined);
});

Deno.test("a letter is mixed with what it is drawn on", () => {
  for (const channels of [1, 3, 4] as const) {
    const image = blank(20, 20, channels);
    image.data.fill(100);
    drawText(image, "I", 4, 2, { color: [100, 100, 100] });
    const colours = image.data.filter((_, at) => channels < 4 || at % 4 < 3);
    assert.ok(colours.every((sample) => sample === 100), `${channels} channels`);
  }
});

Deno.test("drawLabelledBox keeps its text inside the picture", () => {
  const image = blank(120, 60);
  drawLabelledBox(image, [80, 2, 118, 50], "moving", [255, 255, 0], 1);
  const rows = show(image);
  // The background of the label begins in the box, left enough for all of it.
  assert.equal(rows[5]!.lastIndexOf("#"), 117);
  assert.ok(rows[5]!.indexOf("#") < 90);
  assert.equal(rows[0]!.includes("#"), false);
});
