"""docs/images/rooms.png: the rooms on the floors that .importlinter gives them, and who imports whom.

    .venv/bin/python -m tools.rooms

An area is as many lines of code; an arrow that a longer way implies is left out.
"""

from __future__ import annotations

import configparser
import re
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

ROOT = Path(__file__).parents[1]
PRODUCT = "avatarlab_ops"
ABOVE = ("benchmarks", "dags", "plugins", "voices")  # beside the product; what they use of it
WIDTH, GAP, MARGIN, FLOOR = 1640, 14, 20, 32  # pixels; FLOOR is free for arrows between two floors
LEAST, PER_LINE = (215, 66), 16.0  # least size of a room, square pixels for a line of code
INK, PALE, ROOM, HALL = "#24323f", "#5d6b78", "#dfe8f2", "#f3e3e3"
IMPORT = re.compile(
    rf"^\s*(?:from {PRODUCT}\.(\w+)|from {PRODUCT} import (.+)|import {PRODUCT}\.(\w+))", re.M
)


@dataclass
class Room:
    """A folder or module: what it says of itself, its lines, what it imports, and where it is drawn."""

    name: str
    says: str
    lines: int
    imports: set[str]
    box: tuple[int, int, int, int] = field(default=(0, 0, 0, 0))


def main() -> None:
    """Draw the picture."""
    floors = [[_room(ROOT / name) for name in ABOVE]]
    floors += [[_room(ROOT / PRODUCT / name) for name in names] for names in _floors()]
    height = _place(floors)
    picture = Image.new("RGB", (WIDTH, height), "white")
    draw = ImageDraw.Draw(picture)
    rooms = {room.name.removesuffix(".py"): room for floor in floors for room in floor}
    for room in rooms.values():
        for name in _direct(room, rooms):
            _arrow(draw, room, rooms[name])
    for room in rooms.values():
        _draw(draw, room, HALL if room.name in ABOVE else ROOM)
    picture.quantize(32).save(ROOT / "docs" / "images" / "rooms.png", optimize=True)


def _floors() -> list[list[str]]:
    """The layers of the import rules, from above."""
    rules = configparser.ConfigParser()
    rules.read(ROOT / ".importlinter")
    layers = rules["importlinter:contract:layers"]["layers"].split("\n")
    return [[name.strip() for name in layer.split(":")] for layer in layers if layer]


def _room(path: Path) -> Room:
    files = sorted(path.rglob("*.py")) if path.is_dir() else [path.with_suffix(".py")]
    text = "\n".join(file.read_text() for file in files)
    about = text if not path.is_dir() else _own_words(path)
    said = re.match(r'"""(.+?)(?:"""|\n\n)', about, re.S)
    names = {name for match in IMPORT.findall(text) for part in match for name in re.findall(r"\w+", part)}
    name = path.name if path.is_dir() else f"{path.name}.py"
    says = re.sub(r"\s+", " ", said[1]) if said and path.name not in ABOVE else ""
    return Room(name, says, text.count("\n"), names - {path.name})


def _own_words(folder: Path) -> str:
    words = folder / "__init__.py"
    return words.read_text() if words.exists() else ""


def _place(floors: list[list[Room]]) -> int:
    """Give each room its box, floor by floor from above; returns the picture's height."""
    top = MARGIN
    for floor in floors:
        width = WIDTH - 2 * MARGIN - GAP * (len(floor) - 1)
        tall = max(LEAST[1], round(sum(room.lines for room in floor) * PER_LINE / width))
        wide = [max(LEAST[0], round(room.lines * PER_LINE / tall)) for room in floor]
        shrink = min(1.0, width / sum(wide))
        left = (WIDTH - round(sum(wide) * shrink) - GAP * (len(floor) - 1)) // 2
        for room, size in zip(floor, wide, strict=True):
            room.box = (left, top, left + round(size * shrink), top + tall)
            left = room.box[2] + GAP
        top += tall + FLOOR
    return top - FLOOR + MARGIN


def _direct(room: Room, rooms: dict[str, Room]) -> set[str]:
    """What a room imports that none of its other imports leads to."""
    known = room.imports & rooms.keys()
    return {name for name in known if not any(name in _below(other, rooms) for other in known - {name})}


def _below(name: str, rooms: dict[str, Room]) -> set[str]:
    found: set[str] = set()
    waiting = [name]
    while waiting:
        new = (rooms[waiting.pop()].imports & rooms.keys()) - found
        found |= new
        waiting += new
    return found


def _arrow(draw: ImageDraw.ImageDraw, room: Room, below: Room) -> None:
    """From the lower edge of a room to the upper edge of what it imports, as straight down as may be."""
    (left, _, right, bottom), (low, top, high, _) = room.box, below.box
    start = min(max((low + high) // 2, left + GAP), right - GAP)
    end = min(max(start, low + GAP), high - GAP)
    draw.line([(start, bottom), (end, top - 7)], fill=PALE, width=2)
    draw.polygon([(end - 5, top - 9), (end + 5, top - 9), (end, top)], fill=PALE)


def _draw(draw: ImageDraw.ImageDraw, room: Room, colour: str) -> None:
    left, top, right, bottom = room.box
    draw.rounded_rectangle(room.box, 5, fill=colour, outline=PALE)
    bold, plain = ImageFont.load_default(17), ImageFont.load_default(13)
    draw.text((left + 8, top + 6), room.name, INK, bold)
    if right - left > draw.textlength(room.name, bold) + 60:
        draw.text((right - 8, top + 8), f"{room.lines:,}", PALE, plain, anchor="ra")
    line, y = "", top + 30
    for word in [*room.says.split(), None]:
        if word is None or draw.textlength(f"{line} {word}", plain) > right - left - 16:
            if y + 16 <= bottom:
                draw.text((left + 8, y), line, INK, plain)
            line, y = word or "", y + 17
        else:
            line = f"{line} {word}".strip()


if __name__ == "__main__":
    main()
