"""The lineage of a video (`lineage.trace`) as a picture for a web page: SVG without script or style.

Boxes stand in columns: what nothing was made from first, each other one column after the last of its sources.
Classes `node`, `edge` and `kind-...` are for the page's style sheet.
"""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

from avatarlab_ops.lineage.drawing import Node, picture

BOX, LINE, PAD, GAP_X, GAP_Y = 190, 15, 10, 60, 18  # px
FITS = 27  # characters of a line of a box
Arrow = tuple[str, str, str]


def drawn(document: dict[str, Any]) -> str:
    """The picture as an <svg> element, all text escaped."""
    boxes, arrows = picture(document)
    nodes = {node.id: node for node in boxes.values()}
    places = _places(nodes, _columns(nodes, arrows))
    width = max(x for x, _ in places.values()) + BOX + 1
    height = max(y + _height(nodes[name]) for name, (_, y) in places.items()) + 1
    parts = [_edge(nodes, places, arrow) for arrow in arrows]
    parts += [_box(nodes[name], *place) for name, place in places.items()]
    size = f'viewBox="-1 -1 {width + 2} {height + 2}" width="{width}" height="{height}"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" class="lineage">{"".join(parts)}</svg>'


def _columns(nodes: Mapping[str, Node], arrows: list[Arrow]) -> dict[str, int]:
    """Longest way from a source, for each box; an arrow that would close a circle is not followed."""
    sources: dict[str, list[str]] = {name: [] for name in nodes}
    for source, target, _ in arrows:
        sources[target].append(source)
    known: dict[str, int] = {}

    def column(name: str, way: tuple[str, ...] = ()) -> int:
        if name not in known:
            before = [column(one, (*way, name)) for one in sources[name] if one not in way and one != name]
            known[name] = 1 + max(before, default=-1)
        return known[name]

    return {name: column(name) for name in nodes}


def _places(nodes: Mapping[str, Node], columns: Mapping[str, int]) -> dict[str, tuple[int, int]]:
    """Upper left corner of each box, columns one under the other in the order of the boxes."""
    below: dict[int, int] = {}
    found: dict[str, tuple[int, int]] = {}
    for name, column in columns.items():
        y = below.get(column, 0)
        found[name] = (column * (BOX + GAP_X), y)
        below[column] = y + _height(nodes[name]) + GAP_Y
    return found


def _height(node: Node) -> int:
    return LINE * len(node.lines) + 2 * PAD


def _box(node: Node, x: int, y: int) -> str:
    lines = "".join(
        f'<text x="{x + PAD}" y="{y + PAD + LINE * number + 11}" class="{"name" if not number else "fact"}">'
        f"{escape(_short(line))}</text>"
        for number, line in enumerate(node.lines)
    )
    told = escape("\n".join(node.lines))
    kind = escape(node.lines[0].partition(" ")[0].partition(".")[0])
    frame = f'<rect x="{x}" y="{y}" width="{BOX}" height="{_height(node)}" rx="6"/>'
    return f'<g class="node kind-{kind}"><title>{told}</title>{frame}{lines}</g>'


def _short(line: str) -> str:
    """A line that fits its box: of an address or a digest, the end or the beginning tells most."""
    if len(line) <= FITS:
        return line
    return f"…{line[-FITS + 1 :]}" if "/" in line else f"{line[: FITS - 1]}…"


def _edge(nodes: Mapping[str, Node], places: Mapping[str, tuple[int, int]], arrow: Arrow) -> str:
    source, target, role = arrow
    (x1, y1), (x2, y2) = places[source], places[target]
    y1, y2 = y1 + _height(nodes[source]) // 2, y2 + _height(nodes[target]) // 2
    bend = GAP_X // 2
    way = f"M{x1 + BOX} {y1}C{x1 + BOX + bend} {y1} {x2 - bend} {y2} {x2} {y2}"
    return f'<path class="edge" d="{way}"><title>{escape(role)}</title></path>'
