"""Prices of a file, costs by hand, and which part binds."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import click
import pytest

from avatarlab_ops.cli import main
from avatarlab_ops.errors import InputError
from avatarlab_ops.hosting import prices
from avatarlab_ops.hosting.cost import Demand, cost
from avatarlab_ops.hosting.limits import Measured, Part, limits, measured
from avatarlab_ops.hosting.orders import drawn
from avatarlab_ops.hosting.prices import Box, Offer, Prices
from avatarlab_ops.hosting.workload import Seen, workload

DAY = date(2026, 11, 1)
# A minute of video: 60 GPU-seconds (and 10 for each video), 30 s without a GPU.
SEEN = [
    Seen(
        minutes,
        {"speech": 10 + 20 * minutes, "lipsync": 40 * minutes, "composite": 30 * minutes},
        2e8 * minutes,
    )
    for minutes in (1.0, 2.0, 4.0)
]
RATES = workload(SEEN)


def offer(**given: object) -> Offer:
    base = {"kind": "on demand", "name": "a", "source": "b", "read": DAY, "fixed_usd_per_hour": 0}
    return Offer.model_validate(base | given)


def plan(*offers: Offer) -> Prices:
    return Prices(hours_per_month=700, utilisation=0.5, cpu_tasks_per_machine=4, offer=offers)


def test_what_videos_cost_is_a_line_over_their_minutes() -> None:
    assert RATES.gpu_s(3.0) == pytest.approx(10 + 3 * 60)
    assert RATES.cpu_s(3.0) == pytest.approx(90)
    assert RATES.moved(0.5) == pytest.approx(1e8)
    with pytest.raises(InputError, match="nothing was measured"):
        workload([])


def test_rented_machines_cost_by_the_hour_whether_they_work_or_not() -> None:
    rented = offer(usd_per_gpu_hour=2.0)
    found = cost(
        plan(rented), rented, RATES, Demand(100, 1.0)
    )  # 7,000 GPU-seconds an hour, at most half busy
    assert (found.machines, found.missing) == (4, ())
    assert found.usd_per_month == pytest.approx(4 * 2.0 * 700)
    assert found.usd_per_video_minute == pytest.approx(4 * 2.0 / 100)


def test_a_serverless_gpu_costs_what_it_works_and_a_slower_one_more() -> None:
    lent = offer(kind="serverless", billed="busy", usd_per_gpu_hour=3.6, factor=2.0, fixed_usd_per_hour=0.5)
    found = cost(plan(lent), lent, RATES, Demand(10, 1.0))
    assert found.usd_per_video_minute == pytest.approx(70 * 2 * 0.001 + 0.05)


def test_a_box_of_ones_own_is_written_off_fed_and_housed() -> None:
    box = Box(purchase_usd=4200, years=2, watts=500, usd_per_kwh=0.4, usd_per_month=70)
    own = offer(kind="own box", box=box)
    found = cost(plan(own), own, RATES, Demand(1, 1.0))
    assert found.usd_per_month == pytest.approx(4200 / 24 + 0.5 * 0.4 * 700 + 70)


def test_what_is_not_known_is_named_and_never_guessed() -> None:
    own = offer(kind="own box", box={"watts": 400})
    found = cost(plan(own), own, RATES, Demand(10, 1.0))
    assert found.usd_per_month is None
    assert found.missing == ("box.purchase_usd", "box.years", "box.usd_per_kwh", "box.usd_per_month")
    lent = offer(usd_per_gpu_hour=1.0, fixed_usd_per_hour=None, least_fixed_usd_per_hour=0.49)
    found = cost(plan(lent), lent, RATES, Demand(1, 1.0))
    assert found.missing == ("fixed_usd_per_hour",)
    assert found.usd_per_month == pytest.approx(1.49 * 700), "the least that it costs"


def test_every_price_of_ours_has_a_source_and_a_date() -> None:
    ours = prices.read()
    assert {one.kind for one in ours.offer} == set(Offer.model_fields["kind"].annotation.__args__)  # type: ignore[union-attr]
    for one in ours.offer:
        assert one.source
        assert one.read <= date.today()
        assert one.usd_per_gpu_hour is not None or one.box


def test_a_file_that_is_not_of_prices_is_refused_by_field(tmp_path: Path) -> None:
    mine = tmp_path / "mine.toml"
    mine.write_text(prices.OURS.read_text().replace("usd_per_gpu_hour = 0.82", "usd_per_gpu_hour = -1", 1))
    with pytest.raises(
        InputError, match=r"mine.toml: offer.1.usd_per_gpu_hour: .*greater than or equal to 0"
    ):
        prices.read(mine)
    mine.write_text("this is no TOML")
    with pytest.raises(InputError, match="cannot be read as prices"):
        prices.read(mine)


@pytest.mark.parametrize(
    "words", [["cost", "--minutes"], ["simulate", "--videos-per-hour"], ["simulate", "--hours"]]
)
@pytest.mark.parametrize("number", ["nan", "inf", "0", "-1", "1e308"])
def test_what_is_no_amount_is_refused_where_it_is_given(words: list[str], number: str) -> None:
    with pytest.raises(click.BadParameter):
        main.commands[words[0]].make_context(words[0], [*words[1:], number])


def test_more_orders_than_a_simulation_can_play_through_are_refused_at_once() -> None:
    with pytest.raises(InputError, match=r"more than 100,000, .* ask for fewer hours"):
        drawn(SEEN, 1e6, 1000.0)


def test_a_price_is_finite(tmp_path: Path) -> None:
    mine = tmp_path / "mine.toml"
    mine.write_text(prices.OURS.read_text().replace("usd_per_gpu_hour = 0.82", "usd_per_gpu_hour = inf", 1))
    with pytest.raises(InputError, match=r"offer.1.usd_per_gpu_hour: .*finite number"):
        prices.read(mine)


def test_the_part_that_binds_comes_first_with_its_arithmetic() -> None:
    parts = Measured(
        source="", s3_bytes_per_s=1e8, part=(Part(name="scheduler", seconds=1.8, cores=1, more="schedulers"),)
    )
    found = limits(parts, RATES, Demand(1000, 1.0), cpu_tasks=4, at_most=0.8)
    assert [one.name for one in found] == ["GPU", "stages without a GPU", "S3's line", "scheduler"]
    assert (found[0].share, found[0].units) == (pytest.approx(70 / 3.6), 25)
    assert found[0].sum == "1000 x 70.00 s / (3600 s) = 19.444"
    assert found[2].sum == "1000 x 200.0 MB / (3600 s x 100 MB/s) = 0.556"
    assert found[3].share == pytest.approx(0.5)


def test_the_measured_parts_are_all_there() -> None:
    names = {part.name for part in measured().part}
    assert {"api-server", "scheduler", "PostgreSQL"} <= names


def test_orders_are_drawn_alike_for_everybody_and_as_often_as_is_asked() -> None:
    asked = drawn(SEEN, 60.0, 100.0)
    assert asked == drawn(SEEN, 60.0, 100.0)
    assert len(asked) == pytest.approx(6000, rel=0.05)
    assert {one.seconds["speech"] for one in asked} == {30.0, 50.0, 90.0}
    assert {one.at_s for one in drawn(SEEN, 60.0, 1.0, at_once=True)} == {0.0}
    assert drawn(SEEN, 60.0, 1.0, minutes=3.0)[0].seconds["lipsync"] == pytest.approx(120)
