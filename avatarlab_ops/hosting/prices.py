"""The dated file of prices, ours or an operator's, and what of it is not known."""

from __future__ import annotations

import tomllib
from datetime import date
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from avatarlab_ops.errors import InputError

OURS = Path(__file__).with_name("prices.toml")


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Box(_Strict):
    """What a machine of one's own costs; None: not known here."""

    purchase_usd: float | None = Field(None, ge=0)
    years: float | None = Field(None, gt=0)
    watts: float | None = Field(None, ge=0)
    usd_per_kwh: float | None = Field(None, ge=0)
    usd_per_month: float | None = Field(None, ge=0)

    def missing(self) -> list[str]:
        """Names of what is to be filled in."""
        return [f"box.{name}" for name in type(self).model_fields if getattr(self, name) is None]

    def usd_per_hour(self, hours_per_month: float) -> float | None:
        """Writing off, power and upkeep of an hour; None while something is missing."""
        if self.purchase_usd is None or self.years is None or self.usd_per_month is None:
            return None
        if self.watts is None or self.usd_per_kwh is None:
            return None
        a_month = self.purchase_usd / (self.years * 12) + self.usd_per_month
        return a_month / hours_per_month + self.watts / 1000 * self.usd_per_kwh


class Offer(_Strict):
    """One way of hosting. `factor`: seconds that its GPU takes for one second measured here."""

    kind: Literal["own box", "on demand", "spot", "serverless", "managed Airflow"]
    name: str
    source: str
    read: date
    note: str = ""
    usd_per_gpu_hour: float | None = Field(None, ge=0)  # of a machine with one GPU
    fixed_usd_per_hour: float | None = Field(None, ge=0)  # whatever is rendered
    least_fixed_usd_per_hour: float = Field(0, ge=0)  # the known part of it
    billed: Literal["always", "busy"] = "always"
    factor: float = Field(1.0, gt=0)
    box: Box | None = None

    def missing(self) -> list[str]:
        """Names of what is to be filled in."""
        if self.box:
            return self.box.missing()
        prices = ("usd_per_gpu_hour", "fixed_usd_per_hour")
        return [name for name in prices if getattr(self, name) is None]


class Prices(_Strict):
    """All offers, and how machines are planned."""

    hours_per_month: float = Field(gt=0)
    utilisation: float = Field(gt=0, le=1)
    cpu_tasks_per_machine: int = Field(ge=1)
    offer: tuple[Offer, ...] = Field(min_length=1)


def read(path: Path = OURS) -> Prices:
    """The prices of a file. Raises InputError, naming file and field, for what is not one of prices."""
    try:
        return Prices.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InputError(f"{path} cannot be read as prices: {error}; begin with a copy of {OURS}") from error
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise InputError(f"{path}: {where}: {first['msg']}; begin with a copy of {OURS}") from error
