"""The lineage of a video (`lineage.trace`) as text, and as a picture for Mermaid or Graphviz."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from avatarlab_ops.canonical import Json
from avatarlab_ops.states import StageState

INDENT = 10  # columns before a fact's value
WIDTH = 96  # of a value; longer ones go on below


def as_text(document: Json) -> str:
    """Every fact under its name, the artifacts as a tree; one that is read twice is drawn once."""
    return "\n".join([*_head(document), *_tree(document)])


def _head(document: Json) -> Iterator[str]:
    render, request = document["render"], document["request"]
    yield from _fact("render", f"{render['id']}  {render['state']} {_time(render['ended_at'])}".rstrip())
    if render["withdrawn_at"]:
        yield from _fact("", f"withdrawn {_time(render['withdrawn_at'])}: {render['withdrawn_reason']}")
    yield from _fact("DAG run", _run(document) or "none (rendered without Airflow)")
    for bulk, item in sorted(document["bulk_runs"].items()):
        anew = f", anew for {item['source']}" if item["source"] else ""
        yield from _fact("bulk run", f"{bulk}, item {item['key']}{anew}")
    yield from _fact("code", render["code_version"])
    yield from _fact(
        "request", f"{request['sha256']}  by {request['caller']}, {_time(request['created_at'])}"
    )
    yield from _fact("", *_params(request["body"]))
    for role, given in sorted(document["inputs"].items()):
        yield from _fact("input", f"{role}  {given['uri']}  {given['bytes']:,} bytes")
        yield from _fact("", f"sha256 {given['sha256']}")
    for consent_id, record in sorted(document["consents"].items()):
        yield from _fact("consent", f"{consent_id}  {record['kind']} {record['material']}")
        yield from _fact("", f"of {record['subject']}{_standing(record)}")
    for _, file in sorted(document["files"].items()):
        yield from _fact("file", f"{file['uri']}  {file['bytes']:,} bytes")
        yield from _fact("", f"sha256 {file['sha256']}")


def _standing(record: Json) -> str:
    """What became of a consent since."""
    return f", revoked {_time(record['revoked_at'])}" if record["revoked_at"] else ""


def _time(moment: str | None) -> str:
    return f"{moment[:19].replace('T', ' ')} UTC" if moment else ""


def _fact(name: str, *values: str) -> Iterator[str]:
    """A name before its values, long ones over several lines; a value is never broken."""
    lines = [""]
    for value in values:
        joined = f"{lines[-1]}, {value}" if lines[-1] else value
        lines[-1:] = [joined] if len(joined) <= WIDTH or not lines[-1] else [f"{lines[-1]},", value]
    yield f"{name:<{INDENT}}{lines[0]}"
    yield from (f"{'':<{INDENT}}{line}" for line in lines[1:])


def _params(value: Any, name: str = "") -> Iterator[str]:
    """`name value` of everything that is set, the names of nested ones joined with a dot."""
    if isinstance(value, dict | list):
        pairs = sorted(value.items()) if isinstance(value, dict) else enumerate(value, start=1)
        for key, part in pairs:
            yield from _params(part, f"{name}.{key}" if name else str(key))
    elif value is not None:
        yield f"{name} {json.dumps(value, ensure_ascii=False)}"


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


def _run(document: Json) -> str | None:
    """The DAG run that made a video: its own, or that of its bulk run."""
    runs = (document["render"]["run_id"], *(item["run_id"] for item in document["bulk_runs"].values()))
    return next((str(run) for run in runs if run), None)


def _facts(document: Json, artifact: Json) -> Iterator[str]:
    run = document["stages"].get(artifact["stage"], {})
    here = run.get("artifact") == artifact["fingerprint"]
    reused = " (reused)" if here and run["state"] == StageState.CACHED else ""
    made_by = artifact["made_by_run"] and f", DAG run {artifact['made_by_run']}"
    yield from _fact("made by", f"{artifact['made_by'] or 'a render not on record'}{made_by or ''}{reused}")
    yield from _fact("code", f"{artifact['code_version']}, stage version {artifact['stage_version']}")
    if engine := artifact["engine"]:
        yield from _fact("engine", f"{engine['kind']} {engine['name']}@{engine['version']}")
        for name, sha256 in sorted(engine["weights"].items()):
            yield from _fact("weights", f"{name}  sha256 {sha256}")
    yield from _fact("params", *_params(artifact["params"]))
    yield from _fact("content", f"sha256 {artifact['sha256']}")
    for name, file in sorted(artifact["files"].items()):
        yield from _fact("file", f"{name}  sha256 {file['sha256']}")


@dataclass(frozen=True)
class Node:
    """A box of the picture."""

    id: str
    lines: tuple[str, ...]


def picture(document: Json) -> tuple[dict[str, Node], list[tuple[str, str, str]]]:
    """Boxes by what they stand for, and arrows (from, to, role) in the direction the data went."""
    boxes: dict[str, Node] = {}
    arrows: list[tuple[str, str, str]] = []

    def box(key: str, *lines: str) -> str:
        return boxes.setdefault(key, Node(f"n{len(boxes)}", lines)).id

    render, request = document["render"], document["request"]
    asked = box("request", "request", request["sha256"][:12], f"by {request['caller']}")
    run = f"DAG run {found}" if (found := _run(document)) else "without Airflow"
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
    boxes, arrows = picture(document)
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
    boxes, arrows = picture(document)
    lines = ["digraph lineage {", "  rankdir=LR;", '  node [shape=box, fontname="sans-serif"];']
    for node in boxes.values():
        text = "\\n".join(line.replace("\\", "\\\\").replace('"', '\\"') for line in node.lines)
        lines.append(f'  {node.id} [label="{text}"];')
    lines += [f'  {source} -> {target} [label="{role}"];' for source, target, role in arrows]
    return "\n".join([*lines, "}"])


FORMATS = {"text": as_text, "mermaid": as_mermaid, "dot": as_dot}
