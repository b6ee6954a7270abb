"""The report of a storm: one HTML file that needs nothing beside it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from html import escape

from kit.storm.checker import Verdict
from kit.storm.hand import Done
from kit.storm.history import History
from kit.storm.schedule import KINDS

WIDTH, ROW, LEFT = 960, 22, 110
SHOWN = 50  # findings of one promise

STYLE = """
body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:62rem;padding:0 1rem;color:#1c2430}
h1{font-size:1.6rem}h2{font-size:1.15rem;margin-top:2rem}
table{border-collapse:collapse;width:100%}th,td{text-align:left;padding:.3rem .6rem}
th,td{border-bottom:1px solid #d8dee8}
td.t:first-child{white-space:nowrap}td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}.yes{color:#126b3a}.no{color:#a3161a}
svg{width:100%;height:auto}svg text{font:12px system-ui,sans-serif;fill:#1c2430}
code{background:#eef1f6;padding:0 .25em}
@media(prefers-color-scheme:dark){body{background:#141920;color:#e4e9f0}svg text{fill:#e4e9f0}
th,td{border-color:#36404e}code{background:#242c37}.yes{color:#6fd39b}.no{color:#ff8d8d}}
"""


@dataclass
class Report:
    """What the page tells."""

    seed: int
    minutes: float
    each: int  # faults of each kind that were planned
    begun: str
    verdicts: Sequence[Verdict]
    done: Sequence[Done]
    lacking: Mapping[str, str]  # kind of fault -> why it could not be made
    ends_s: Mapping[str, Sequence[float]]  # state -> when renders ended, seconds after the begin
    reasons: Mapping[str, int]  # why renders failed -> how many
    facts: Mapping[str, object] = field(default_factory=dict)

    @property
    def holds(self) -> bool:
        """Whether every promise held."""
        return all(verdict.holds for verdict in self.verdicts)


def html(report: Report) -> str:
    """The whole page."""
    word = "every promise held" if report.holds else "promises were broken"
    title = f"Storm {report.seed}: {word}"
    parts = [
        f"<h1>{escape(title)}</h1>",
        f"<p>{len([one for one in report.done if one.hit])} faults in {report.minutes:g} minutes, begun "
        f"{escape(report.begun)}. Again: <code>make chaos-run SEED={report.seed} "
        f"MINUTES={report.minutes:g} FAULTS={report.each}</code></p>",
        "<h2>Promises</h2>", _promises(report.verdicts),
        "<h2>Faults</h2>", _faults(report), _lacking(report.lacking),
        "<h2>What happened when</h2>", _times(report),
        "<h2>Renders that failed, by reason</h2>" if report.reasons else "",
        _table(("reason", "renders"), sorted(report.reasons.items())) if report.reasons else "",
        "<h2>The run</h2>", _table(("", ""), report.facts.items()),
    ]  # fmt: skip
    head = f'<meta charset="utf-8"><title>{escape(title)}</title><style>{STYLE}</style>'
    return f'<!doctype html><html lang="en"><head>{head}</head><body>{"".join(parts)}</body></html>'


def document(found: History, report: Report) -> str:
    """What the page was made from, as JSON."""
    whole = asdict(found) | {"done": [asdict(one) for one in report.done]}
    return json.dumps(whole, default=lambda it: sorted(it) if isinstance(it, set) else str(it))


def _promises(verdicts: Sequence[Verdict]) -> str:
    rows = []
    for verdict in verdicts:
        state, word = ("yes", "holds") if verdict.holds else ("no", "broken")
        if not verdict.findings and not verdict.looked_at:
            word = "not seen"
        found = "".join(f"<li>{escape(text)}</li>" for text in verdict.findings[:SHOWN])
        more = f"<li>and {len(verdict.findings) - SHOWN} more</li>" if len(verdict.findings) > SHOWN else ""
        rows.append(
            f"<tr><td>{escape(verdict.promise)}{f'<ul>{found}{more}</ul>' if found else ''}</td>"
            f'<td class="n">{verdict.looked_at}</td><td class="{state}"><b>{word}</b></td></tr>'
        )
    return f'<table><tr><th>promise</th><th class="n">held against</th><th></th></tr>{"".join(rows)}</table>'


def _faults(report: Report) -> str:
    """Faults by kind and target: made, and of those planned that met nothing."""
    made = Counter((one.fault.kind, one.fault.target) for one in report.done if one.hit)
    missed = Counter((one.fault.kind, one.fault.target) for one in report.done if not one.hit)
    rows = []
    for kind in KINDS:
        targets = sorted({target for of, target in (*made, *missed) if of == kind})
        told = ", ".join(
            f"{target} {made[kind, target]}"
            + (f" ({missed[kind, target]} met nothing)" if missed[kind, target] else "")
            for target in targets
        )
        rows.append((kind, sum(made[kind, target] for target in targets), told))
    return _table(("kind", "made", "by target"), rows)


def _lacking(lacking: Mapping[str, str]) -> str:
    told = "; ".join(f"{kind}: {why}" for kind, why in lacking.items())
    return f"<p>Not made on this machine: {escape(told)}.</p>" if told else ""


def _times(report: Report) -> str:
    """One row for each kind of fault and for each way in which renders ended, along the minutes."""
    rows: dict[str, list[tuple[float, float]]] = {kind: [] for kind in KINDS}
    for one in report.done:
        if one.hit:
            rows[one.fault.kind].append((one.began_s, one.ended_s))
    rows |= {state: [(end, end) for end in ends] for state, ends in report.ends_s.items()}
    last = max((end for spells in rows.values() for _, end in spells), default=60.0)
    scale = (WIDTH - LEFT) / max(last, 60.0)
    marks = []
    for number, (name, spells) in enumerate(rows.items()):
        y, colour = number * ROW, "#c2571a" if name in KINDS else "#2f7d4f"
        marks.append(f'<text x="0" y="{y + 15}">{escape(name)}</text>')
        marks += [
            f'<rect x="{LEFT + begin * scale:.1f}" y="{y + 4}" height="{ROW - 8}" '
            f'width="{max(1.5, (end - begin) * scale):.1f}" fill="{colour}" fill-opacity=".65"/>'
            for begin, end in spells
        ]
    height = len(rows) * ROW
    for minute in range(int(max(last, 60.0) // 60) + 1):
        x = LEFT + minute * 60 * scale
        marks.append(f'<text x="{x:.1f}" y="{height + 14}">{minute}</text>')
    label = "Faults and ends of renders along the minutes"
    return f'<svg viewBox="0 0 {WIDTH} {height + 20}" role="img" aria-label="{label}">{"".join(marks)}</svg>'


def _table(heads: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    head = "".join(f"<th>{escape(name)}</th>" for name in heads)
    body = "".join(
        "<tr>" + "".join(f"<td class=t>{escape(str(cell))}</td>" for cell in row) + "</tr>" for row in rows
    )
    return f"<table><tr>{head}</tr>{body}</table>"
