"""The lineage of a video (`lineage.trace`) as text, and as a picture for Mermaid or Graphviz."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]


def as_text(document: Json) -> str:
    """Every fact on a line of its own, the artifacts as a tree; one that is read twice is drawn once."""
    return "\n".join([*_head(document), *_tree(document)])


def _head(document: Json) -> Iterator[str]:
    render, request = document["render"], document["request"]
    ended = f" {render['ended_at']}" if render["ended_at"] else ""
    yield f"render    {render['id']}  {render['state']}{ended}"
    yield f"          DAG run {render['run_id'] or 'none (rendered without Airflow)'}"
    yield f"          code {render['code_version']}"
    yield f"request   {request['sha256']}  by {request['caller']} at {request['created_at']}"
    yield f"          {_plain(request['body'])}"
    for role, given in sorted(document["inputs"].items()):
        yield f"input     {role}  {given['uri']}  {given['bytes']} bytes"
        yield f"          sha256 {given['sha256']}"
    for name, file in sorted(document["files"].items()):
        yield f"file      {name}  {file['uri']}  {file['bytes']} bytes"
        yield f"          sha256 {file['sha256']}"


def _tree(document: Json) -> Iterator[str]:
    drawn: set[str] = set()
    for root in _roots(document):
        yield ""
        yield from _artifact(document, root, drawn)


def _roots(document: Json) -> list[str]:
    """The artifacts that nothing here was made from: the finished film, or what there is before it."""
    artifacts = document["artifacts"]
    read = {edge["fingerprint"] for artifact in artifacts.values() for edge in artifact["inputs"].values()}
    return sorted(artifacts.keys() - read, key=lambda name: (artifacts[name]["stage"], name))


def _artifact(document: Json, fingerprint: str, drawn: set[str]) -> Iterator[str]:
    artifact = document["artifacts"][fingerprint]
    yield f"{artifact['stage']}  {fingerprint}"
    drawn.add(fingerprint)
    edges = sorted(artifact["inputs"].items())
    trunk = "│ " if edges else "  "
    for fact in _facts(document, artifact):
        yield f"{trunk}{fact}"
    for number, (role, edge) in enumerate(edges, start=1):
        fork, below = ("└─ ", "   ") if number == len(edges) else ("├─ ", "│  ")
        source = edge["fingerprint"]
        if source is None:
            yield f"{fork}{role}  input sha256 {edge['sha256']}"
        elif source in drawn:
            yield f"{fork}{role}  {source} (above)"
        else:
            lines = _artifact(document, source, drawn)
            yield f"{fork}{next(lines)}"
            yield from (f"{below}{line}" for line in lines)


def _facts(document: Json, artifact: Json) -> Iterator[str]:
    run = document["stages"].get(artifact["stage"], {})
    here = run.get("artifact") == artifact["fingerprint"]
    reused = " (reused)" if here and run["state"] == "cached" else ""
    maker, dag_run = artifact["made_by"] or "a lost record", artifact["made_by_run"] or "none"
    yield f"made by {maker}, DAG run {dag_run}{reused}"
    yield f"stage version {artifact['stage_version']}, code {artifact['code_version']}"
    if engine := artifact["engine"]:
        yield f"engine {engine['kind']} {engine['name']}@{engine['version']}"
        for name, sha256 in sorted(engine["weights"].items()):
            yield f"weights {name} sha256 {sha256}"
    yield f"params {_plain(artifact['params'])}"
    yield f"content sha256 {artifact['sha256']}"
    for name, file in sorted(artifact["files"].items()):
        yield f"file {name} sha256 {file['sha256']}"


def _plain(value: Any) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False)


@dataclass(frozen=True)
class _Node:
    """A box of the picture."""

    id: str
    lines: tuple[str, ...]


def _picture(document: Json) -> tuple[dict[str, _Node], list[tuple[str, str, str]]]:
    """Boxes by what they stand for, and arrows (from, to, role) in the direction the data went."""
    boxes: dict[str, _Node] = {}
    arrows: list[tuple[str, str, str]] = []

    def box(key: str, *lines: str) -> str:
        return boxes.setdefault(key, _Node(f"n{len(boxes)}", lines)).id

    render, request = document["render"], document["request"]
    asked = box("request", "request", request["sha256"][:12], f"by {request['caller']}")
    run = f"DAG run {render['run_id']}" if render["run_id"] else "without Airflow"
    done = box("render", "render", render["id"], run, f"code {render['code_version']}")
    arrows.append((asked, done, ""))
    for role, given in sorted(document["inputs"].items()):
        box(given["sha256"], f"input {role}", given["uri"], given["sha256"][:12])
    for fingerprint, artifact in sorted(document["artifacts"].items()):
        box(fingerprint, *_caption(artifact))
    for fingerprint, artifact in sorted(document["artifacts"].items()):
        for role, edge in sorted(artifact["inputs"].items()):
            source = edge["fingerprint"] or edge["sha256"]
            arrows.append((box(source, "input", source[:12]), boxes[fingerprint].id, role))
    for name, file in sorted(document["files"].items()):
        published = box(file["uri"], name, file["sha256"][:12])
        arrows.append((done, published, ""))
        arrows += [(boxes[root].id, published, "") for root in _holders(document, file["sha256"])]
    return boxes, arrows


def _holders(document: Json, sha256: str) -> list[str]:
    """The artifacts that hold a file of this content."""
    found = sorted(document["artifacts"].items())
    return [key for key, made in found if sha256 in {file["sha256"] for file in made["files"].values()}]


def _caption(artifact: Json) -> tuple[str, ...]:
    engine = artifact["engine"]
    named = (f"{engine['name']}@{engine['version']}",) if engine else ()
    weights = tuple(
        f"{name} {sha256[:12]}" for name, sha256 in sorted((engine or {"weights": {}})["weights"].items())
    )
    return (
        artifact["stage"],
        artifact["fingerprint"][:12],
        *named,
        *weights,
        f"code {artifact['code_version']}",
    )


def as_mermaid(document: Json) -> str:
    """A flow chart for Mermaid, from the request and the inputs to the published files."""
    boxes, arrows = _picture(document)
    lines = ["flowchart LR"]
    for node in boxes.values():
        text = "<br>".join(
            line.replace("&", "#amp;").replace('"', "#quot;").replace("<", "#lt;") for line in node.lines
        )
        lines.append(f'  {node.id}["{text}"]')
    for source, target, role in arrows:
        lines.append(f"  {source} -->{f'|{role}|' if role else ''} {target}")
    return "\n".join(lines)


def as_dot(document: Json) -> str:
    """A graph for Graphviz (`dot -Tsvg`), with the same boxes and arrows."""
    boxes, arrows = _picture(document)
    lines = ["digraph lineage {", "  rankdir=LR;", '  node [shape=box, fontname="sans-serif"];']
    for node in boxes.values():
        text = "\\n".join(line.replace("\\", "\\\\").replace('"', '\\"') for line in node.lines)
        lines.append(f'  {node.id} [label="{text}"];')
    lines += [f'  {source} -> {target} [label="{role}"];' for source, target, role in arrows]
    return "\n".join([*lines, "}"])


FORMATS = {"text": as_text, "mermaid": as_mermaid, "dot": as_dot}
