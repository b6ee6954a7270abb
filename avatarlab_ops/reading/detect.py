"""Which language a text is in, where that is beyond doubt: for a note where another one was asked for.

By py3langid's character model. Short texts, names and figures say too little, and nothing is said of them.
"""

from __future__ import annotations

import functools
from typing import Any

from avatarlab_ops.language_tags import NAMES
from avatarlab_ops.reading import known
from avatarlab_ops.timeline import spaced

_SURE = 0.99  # probability among these languages
_ENOUGH, _ENOUGH_UNSPACED = 40, 12  # letters


def another(text: str, language: str) -> str:
    """A note that the text is in another language than `language`, a BCP 47 tag; "" where none is certain."""
    asked = language.partition("-")[0]
    if asked not in NAMES or sum(map(str.isalpha, text)) < _ENOUGH_UNSPACED:
        return ""
    found, sure = _model().rank(text)[0]
    enough = _ENOUGH if spaced(found) else _ENOUGH_UNSPACED
    if found == asked or sure < _SURE or sum(map(str.isalpha, text)) < enough:
        return ""
    looks = f"the script looks like {NAMES[found]} and is read as {NAMES[asked]}"
    return f'{looks}; "language": "{found}" reads it so' if known(found) else looks


@functools.cache
def _model() -> Any:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    model = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    model.set_languages(list(NAMES))
    return model


def preload() -> None:
    """Read the model, so that forked processes have it."""
    _model()
