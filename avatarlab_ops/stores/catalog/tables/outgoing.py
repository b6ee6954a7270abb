"""What leaves for others: the outbox, orders to Airflow, webhooks."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import (
    ForeignKey,
    Index,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from avatarlab_ops.stores.catalog.tables.base import (
    WAITING,
    Base,
)


class Outbox(Base):
    """What must leave for another system, written with the state change that causes it.

    A row is waiting, delivered, or dead: refused by its receiver as often as is tried.
    """

    __tablename__ = "outbox"
    __table_args__ = (
        UniqueConstraint("topic", "key"),
        Index("ix_outbox_waiting", "id", postgresql_where=text(WAITING)),
        Index("ix_outbox_render_waiting", "render_id", "id", postgresql_where=text(WAITING)),
        Index("ix_outbox_dead", "id", postgresql_where=text("dead_at IS NOT NULL")),
    )
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    topic: Mapped[str]  # a collection of the document store, openlineage, or runs (DAG runs to begin)
    key: Mapped[str]  # identity of the message at its receiver
    payload: Mapped[dict[str, Any]]
    render_id: Mapped[str | None] = mapped_column(ForeignKey("render.id"), index=True)
    attempts: Mapped[int] = mapped_column(server_default=text("0"))
    last_error: Mapped[str | None]
    next_at: Mapped[datetime] = mapped_column(server_default=func.now())
    delivered_at: Mapped[datetime | None]
    dead_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class RenderOrder(Base):
    """A place in the line of ordered renders (stores.catalog.line). A row whose render ended in line goes."""

    __tablename__ = "render_order"
    __table_args__ = (
        Index("ix_render_order_waiting", "priority", "caller", postgresql_where=text("begun_at IS NULL")),
        Index("ix_render_order_begun", "begun_at", postgresql_where=text("begun_at IS NOT NULL")),
        Index("ix_render_order_interactive", "caller", "placed_at", postgresql_where=text("priority = 0")),
        Index("uq_render_order_turn", "turn", unique=True),
    )
    render_id: Mapped[str] = mapped_column(ForeignKey("render.id"), primary_key=True)
    caller: Mapped[str]
    priority: Mapped[int]  # states.Priority
    work_s: Mapped[float]  # seconds of work that it is expected to take, all stages
    gpu_s: Mapped[float]  # of these, in the pool `gpu`
    placed_at: Mapped[datetime] = mapped_column(server_default=func.now())
    begun_at: Mapped[datetime | None]  # when its run was let begin; None: it waits
    turn: Mapped[int | None]  # which begin that was; None: it waits, or took a place kept for people


class WebhookEndpoint(Base):
    """An address that is told what became of renders: its caller's, or everybody's.

    One without an address signs what its caller's orders have sent to their `callback_url`.
    """

    __tablename__ = "webhook_endpoint"
    __table_args__ = (
        Index("uq_webhook_endpoint_callbacks", "caller", unique=True, postgresql_where=text("url IS NULL")),
    )
    id: Mapped[str] = mapped_column(primary_key=True)
    url: Mapped[str | None]
    caller: Mapped[str]
    everybody: Mapped[bool]
    secret: Mapped[str]  # whsec_...
    former_secret: Mapped[str | None]  # signs beside it for a day
    signing_key: Mapped[str | None]  # whsk_..., ed25519; never shown. None: made before there were such keys
    former_signing_key: Mapped[str | None]
    rotated_at: Mapped[datetime | None]
    disabled_at: Mapped[datetime | None]
    disabled_reason: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class WebhookCallback(Base):
    """The address that one order wants told, and the endpoint that signs what is sent there."""

    __tablename__ = "webhook_callback"
    render_id: Mapped[str] = mapped_column(ForeignKey("render.id", ondelete="CASCADE"), primary_key=True)
    endpoint_id: Mapped[str] = mapped_column(
        ForeignKey("webhook_endpoint.id", ondelete="CASCADE"), index=True
    )
    url: Mapped[str]


class WebhookDelivery(Base):
    """One message to one endpoint: waiting, delivered, or given up."""

    __tablename__ = "webhook_delivery"
    __table_args__ = (
        Index(
            "ix_webhook_delivery_due", "next_at",
            postgresql_where=text("delivered_at IS NULL AND given_up_at IS NULL"),
        ),
    )  # fmt: skip
    id: Mapped[str] = mapped_column(primary_key=True)  # the same over all attempts
    endpoint_id: Mapped[str] = mapped_column(
        ForeignKey("webhook_endpoint.id", ondelete="CASCADE"), index=True
    )
    url: Mapped[str]
    payload: Mapped[dict[str, Any]]
    attempts: Mapped[int] = mapped_column(server_default=text("0"))
    next_at: Mapped[datetime] = mapped_column(server_default=func.now())
    last_status: Mapped[int | None]
    last_error: Mapped[str | None]
    delivered_at: Mapped[datetime | None]
    given_up_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
