"""A narration that came without a script: what it says."""

from __future__ import annotations

from avatarlab_ops import engines
from avatarlab_ops.errors import InvariantBroken, ScriptRefused
from avatarlab_ops.graph import ONLY
from avatarlab_ops.media.limits import Limits
from avatarlab_ops.stages.context import Context
from avatarlab_ops.stores.artifacts import Product

FILE = "words.txt"


def run(work: Context) -> Product:
    """Write down the recording's words.

    Raises ScriptRefused where none are heard, or where they are in another language than the request's.
    """
    from avatarlab_ops.media import foreign

    plan = work.plan
    if plan.narration is None:
        raise InvariantBroken("listen was called without a narration")
    engine = engines.load("recogniser", ONLY["recogniser"])
    samples = foreign.read_sound(work.source(plan.narration), engine.sample_rate, max_s=Limits().max_sound_s)
    heard = engine.heard(samples, language=plan.language, report=work.report)
    if heard.language != plan.language.partition("-")[0]:
        raise ScriptRefused(
            f"narration: {plan.narration.uri} is spoken in the language {heard.language!r} (sure by "
            f"{heard.sure:.0%}), and {plan.language} was asked for; set language, or give the script"
        )
    if not any(map(str.isalnum, heard.text)):
        raise ScriptRefused(
            f"narration: no words are heard in {plan.narration.uri}; record speech without music, or give "
            "the script"
        )
    path = work.new(FILE)
    path.write_text(heard.text, encoding="utf-8")
    return Product({FILE: path}, {"characters": len(heard.text), "language_sure": round(heard.sure, 3)})


def read(work: Context) -> str:
    """The words that were heard."""
    return work.artifact("listen", FILE).read_text(encoding="utf-8")
