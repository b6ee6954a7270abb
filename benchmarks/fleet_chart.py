"""docs/images/gpus.svg: what is simulated for 1 to 32 GPUs, from the videos in this catalog."""

from __future__ import annotations

from pathlib import Path

from avatarlab_ops.hosting import orders
from avatarlab_ops.hosting.simulation import machines, simulate
from avatarlab_ops.hosting.workload import lately
from avatarlab_ops.settings import Settings
from avatarlab_ops.stores.catalog import transaction

INTO = Path(__file__).parents[1] / "docs" / "images" / "gpus.svg"
GPUS = range(1, 33)
AN_HOUR, MINUTES, HOURS = 100.0, 1.0, 8.0
WIDTH, HEIGHT, LEFT, TOP = 380, 220, 60, 40  # pixels of one panel and where it begins
STYLE = 'font-family="sans-serif" font-size="12" fill="#444"'


def panel(number: int, title: str, unit: str, values: list[float]) -> list[str]:
    """One curve over the number of GPUs, on a linear axis from 0 to its largest value."""
    left, largest = LEFT + number * (WIDTH + LEFT + 20), max(*values, 1e-9)
    places = [
        (left + WIDTH * (gpus - 1) / (len(values) - 1), TOP + HEIGHT * (1 - value / largest))
        for gpus, value in zip(GPUS, values, strict=True)
    ]
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    low = TOP + HEIGHT
    marks = [text(places[gpus - 1][0], low + 18, "middle", str(gpus)) for gpus in (1, 8, 16, 24, 32)]
    heights = [
        text(left - 6, low - HEIGHT * part + 4, "end", f"{largest * part:,.4g}")
        + f'<path d="M{left},{low - HEIGHT * part:.0f}h{WIDTH}" stroke="#ddd"/>'
        for part in (0, 0.5, 1)
    ]
    head, foot = (
        text(left, TOP - 16, "start", f"{title}, {unit}"),
        text(left + WIDTH / 2, low + 36, "middle", "GPUs"),
    )
    curve = f'<polyline points="{line}" fill="none" stroke="#0b6bcb" stroke-width="2"/>'
    return [head, *heights, *marks, foot, curve]


def text(x: float, y: float, anchor: str, words: str) -> str:
    """A piece of writing."""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" {STYLE}>{words}</text>'


def main() -> None:
    """Simulate, print the figures and draw both panels."""
    with transaction(Settings.from_env().pg_dsn) as db:
        seen = lately(db)
    at_once = orders.drawn(seen, AN_HOUR, 1.0, minutes=MINUTES, at_once=True)
    all_day = orders.drawn(seen, AN_HOUR, HOURS, minutes=MINUTES)
    makespans = [simulate(at_once, machines(gpus)).makespan_s / 3600 for gpus in GPUS]
    waits = [simulate(all_day, machines(gpus)).p90_wait_s() / 60 for gpus in GPUS]
    for gpus in (1, 2, 4, 8, 16, 32):
        print(f"{gpus:>3} GPUs: {makespans[gpus - 1]:8.3f} h for {len(at_once)} at once, ", end="")
        print(f"P90 wait {waits[gpus - 1]:8.2f} min at {AN_HOUR:g} an hour ({len(all_day)} videos)")
    parts = [
        *panel(0, f"{len(at_once)} videos of {MINUTES:g} minute at once: all done after", "hours", makespans),
        *panel(1, f"{AN_HOUR:g} such videos an hour for {HOURS:g} h: P90 wait", "minutes", waits),
    ]
    wide, high = 2 * (WIDTH + LEFT + 20) + 20, TOP + HEIGHT + 50
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {wide} {high}" width="{wide}">'
    INTO.write_text(
        "\n".join([head, f'<rect width="{wide}" height="{high}" fill="#fff"/>', *parts, "</svg>", ""])
    )


if __name__ == "__main__":
    main()
