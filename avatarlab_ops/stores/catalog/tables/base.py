"""What every table shares: its base, and conditions that queries and indexes name alike."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    DateTime,
    Text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase

from avatarlab_ops.states import AT_WORK as WORKING
from avatarlab_ops.states import LIVE, OPEN, RenderState

CONSENT_KINDS = ("likeness", "voice")
SHARED_KINDS = ("video", "consent")
SOURCE_KINDS = ("reference", "input", "engine", "code")


def _state_in(states: tuple[StrEnum, ...]) -> str:
    return f"state IN ({', '.join(repr(str(state)) for state in states)})"


# As the migrations wrote them, to the letter: PostgreSQL takes an index only for its own condition.
LIVE_STATES = _state_in(LIVE)
AT_WORK = _state_in(WORKING)
DUE = f"deadline IS NOT NULL AND {_state_in(OPEN)}"
ASKED = f"approval_asked_at IS NOT NULL AND approved_at IS NULL AND state = '{RenderState.RUNNING}'"
WAITING = "delivered_at IS NULL AND dead_at IS NULL"
HELD = datetime(9999, 1, 1, tzinfo=UTC)  # `next_at` of what leaves only when it is released


def one_of(column: str, values: tuple[str, ...]) -> CheckConstraint:
    """A column that holds one of these."""
    listed = ", ".join(f"'{value}'" for value in values)
    return CheckConstraint(f"{column} IN ({listed})", name=f"{column}_known")


class Base(DeclarativeBase):
    """Python types to column types, and names for constraints so that migrations can refer to them."""

    type_annotation_map = {  # noqa: RUF012 (SQLAlchemy's own interface)
        str: Text,
        int: BigInteger,
        datetime: DateTime(timezone=True),
        dict[str, Any]: JSONB,
    }


Base.metadata.naming_convention = {
    "ix": "ix_%(column_0_label)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}
