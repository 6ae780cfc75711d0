"""Makes runtime/image/font.bin: the letters for `drawText`, as grey pictures.

usage: font.py FONT.ttf font.bin     needs Pillow

The font is Roboto Medium (Apache License 2.0), from Debian's package fonts-roboto-unhinted.
"""
import sys
import zlib

from PIL import Image, ImageDraw, ImageFont

#: Height of a capital, and the space above and below it for accents and descenders, in pixels.
CAPITAL, ABOVE, BELOW = 21, 9, 9
#: ASCII, Latin-1 and Latin Extended-A, Greek, Cyrillic, and signs.
RANGES = [(0x20, 0x7E), (0xA0, 0x17F), (0x384, 0x3CE), (0x400, 0x45F), (0x2013, 0x2014), (0x2018, 0x201E),
          (0x2022, 0x2022), (0x2026, 0x2026), (0x20AC, 0x20AC), (0xFFFD, 0xFFFD)]

size = next(s for s in range(10, 80) if -ImageFont.truetype(sys.argv[1], s).getbbox("H", anchor="ls")[1] >= CAPITAL)
font = ImageFont.truetype(sys.argv[1], size)
missing = bytes(font.getmask("\U000F0000"))
table, pictures = bytearray(), bytearray()
for first, last in RANGES:
    for code in range(first, last + 1):
        if code != 0xFFFD and code != 0x20 and bytes(font.getmask(chr(code))) == missing:
            continue
        width = round(font.getlength(chr(code)))
        picture = Image.new("L", (width, ABOVE + CAPITAL + BELOW))
        ImageDraw.Draw(picture).text((0, ABOVE + CAPITAL), chr(code), 255, font, "ls")
        grey = [(v + 8) // 17 for v in picture.tobytes()]
        grey += [0] * (len(grey) % 2)
        table += code.to_bytes(2, "big") + bytes([width])
        pictures += bytes(16 * a + b for a, b in zip(grey[::2], grey[1::2]))
header = (len(table) // 3).to_bytes(2, "big")
packed = zlib.compress(header + table + pictures, 9)
open(sys.argv[2], "wb").write(packed)
print(size, len(table) // 3, "letters,", len(packed), "bytes")
