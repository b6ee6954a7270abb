"""What may be asked of a bulk run: the one source of the form of `avatar_regenerate` and of its REST conf."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import Field, ValidationError, model_validator

from avatarlab_ops import strict_json
from avatarlab_ops.canonical import digest
from avatarlab_ops.errors import RequestInvalid
from avatarlab_ops.fields import Name, Part, Plain, Reference, Tag, Zoned
from avatarlab_ops.forms import flat_schema
from avatarlab_ops.refusal import refusal
from avatarlab_ops.states import Aspect

Reason = Literal["engine", "weights", "code", "input", "template"]
REASONS: tuple[Reason, ...] = get_args(Reason)
CLOCK_EXAMPLE = '{"labels": {"campaign": "spring"}, "stale": ["engine", "weights"]}'
SECTIONS = {"file": "From a file", "template": "From a file", "partial": "From a file"}
_BY_TIME = ("published_from", "published_before")
FILTERS = ("renders", "labels", "language", "avatar", *_BY_TIME, "rated_below", "stale")
SECTIONS |= dict.fromkeys(FILTERS, "From what was published")


RenderId = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.:+-]{0,199}$")]


class BulkRequest(Part):
    """Many videos: one for each row of a file, or a new one for each published video that is chosen."""

    file: Reference | None = Field(
        default=None,
        title="File",
        description="CSV or JSON Lines in the inputs bucket: whole requests, or variables of the template.",
    )
    template: Reference | None = Field(
        default=None,
        title="Template",
        description="A request as JSON in the inputs bucket, with {{name}} wherever a row puts its variable.",
    )
    partial: bool = Field(
        default=False, title="Partial", description="Go on without rows that are wrong; else nothing starts."
    )
    renders: list[RenderId] = Field(
        default_factory=list,
        max_length=500,
        title="Renders",
        description="These videos, by their renders' ids.",
    )
    labels: dict[Name, Plain] = Field(
        default_factory=dict, title="Labels", description="Videos that carry all of these labels."
    )
    language: Tag | None = Field(
        default=None, title="Language", description="Videos in this language.", examples=["en-US"]
    )
    avatar: Reference | None = Field(default=None, title="Avatar", description="Videos of this avatar.")
    published_from: Zoned | None = Field(
        default=None, title="Published from", description="Videos published at this time or later."
    )
    published_before: Zoned | None = Field(
        default=None, title="Published before", description="Videos published before this time."
    )
    rated_below: dict[Aspect, Annotated[float, Field(gt=1, le=5)]] = Field(
        default_factory=dict,
        title="Rated below",
        description="Videos whose mean rating is below this in each aspect named: video, voice, lips, matte, "
        "timing. What has not changed since is made the same again; `stale` leaves it out.",
        examples=[{"lips": 3}],
    )
    stale: list[Reason] = Field(
        default_factory=list,
        title="Stale",
        description="Only videos made with an engine version, weights, stage code, input or template that is "
        "another one today: " + ", ".join(REASONS) + ".",
    )
    deadline: Zoned | None = Field(
        default=None,
        title="Deadline",
        description="When all should be made, with its time zone. Once the forecast goes beyond it, webhooks "
        "and metrics tell; nothing is cut short.",
        examples=["2027-01-29T18:00:00+01:00"],
    )
    dry_run: bool = Field(default=False, title="Dry run", description="Count and predict, and start nothing.")
    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}$")] | None = Field(
        default=None,
        title="Name",
        description="The same name continues the same bulk run; left out: the id of Airflow's run.",
        examples=["spring-2027"],
    )

    @model_validator(mode="after")
    def _one_selection(self) -> Self:
        chosen = [name for name in FILTERS if getattr(self, name)]
        if self.file is None and not chosen:
            raise ValueError(f"give a file, or choose published videos by {', '.join(FILTERS)}")
        if self.file is not None and chosen:
            raise ValueError(f"file and {', '.join(chosen)} exclude each other; make two bulk runs")
        if self.template is not None and self.file is None:
            raise ValueError("template needs a file with its variables")
        return self

    @classmethod
    def parse(cls, data: Mapping[str, Any]) -> Self:
        """Check `data`; empty fields count as left out. Raises RequestInvalid naming every wrong field."""
        given = {name: value for name, value in data.items() if value not in (None, "", [], {})}
        try:
            return cls.model_validate(given)
        except ValidationError as error:
            raise RequestInvalid(str(refusal(error))) from error

    def digest(self) -> str:
        """sha256 of what is chosen, whatever the run is called, by when, and if it is a dry one."""
        left_out = {"name", "dry_run", "deadline"}
        left_out |= set() if self.renders else {"renders"}  # as when there was none
        return digest(self.model_dump(mode="json", exclude=left_out))


def by_the_clock(text: str | None, source: str) -> BulkRequest:
    """What a run by the clock makes anew: of what is stale, what `text`, JSON with filters, chooses.

    Left out: everything stale. Without `stale` the same filter would choose its own results the next time, so
    it stands for every reason unless `text` names some. Raises RequestInvalid that begins with `source`.
    """
    try:
        chosen = strict_json.loads(text, "it") if text else {}
        if not isinstance(chosen, dict):
            raise RequestInvalid(f"{text[:80] if text else text!r} is not a JSON object of filters")
        if unfit := sorted({"file", "template", "name", "deadline"} & chosen.keys()):
            raise RequestInvalid(f"{', '.join(unfit)}: a run by the clock only chooses published videos")
        return BulkRequest.parse(chosen | {"stale": chosen.get("stale") or list(REASONS)})
    except (ValueError, RequestInvalid) as error:
        raise RequestInvalid(f"{source}: {error}; give a JSON object such as {CLOCK_EXAMPLE}") from error


def form_schema() -> dict[str, dict[str, Any]]:
    """Field name to JSON Schema with title, description, section and default, for Airflow's params."""
    form = flat_schema(BulkRequest, SECTIONS)
    for name, field in BulkRequest.model_fields.items():
        if field.default_factory is not None:
            form[name]["default"] = field.get_default(call_default_factory=True)
    return form
