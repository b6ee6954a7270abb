"""A voice to go on in: words and how they were said, fed to the language model before what is to be said."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from avatarlab_ops.engines.speech.small_e.alignment import Span, align
from avatarlab_ops.engines.speech.small_e.delay import delay
from avatarlab_ops.engines.speech.small_e.step import Stepper
from avatarlab_ops.engines.speech.small_e.tokenizer import Tokens

LONGEST_CODES = 750  # 10 s; a longer prompt leaves too little of the 2000 steps to what is to be said


@dataclass(frozen=True)
class Voice:
    """Words as they are said, and their codes int64 [Q, T]."""

    words: tuple[str, ...]
    codes: Tensor

    @property
    def tokens(self) -> Tensor:
        """What the model is fed: int64 [Q, 1, T], delayed, without the start that it begins from."""
        return delay(self.codes)[:, None, 1 : self.codes.shape[1] + 1]


def shortened(words: Sequence[str], codes: Tensor, said: Mapping[int, Span]) -> Voice:
    """The beginning of what was said, cut after the last word that ends within `LONGEST_CODES`.

    said: codes in which each word is said, as `align` tells.
    """
    if codes.shape[1] <= LONGEST_CODES:
        return Voice(tuple(words), codes)
    ends = {word: end for word, (_, end) in said.items() if end <= LONGEST_CODES}
    last = max(ends, default=0)
    return Voice(tuple(words[: last + 1]), codes[:, : ends.get(last, LONGEST_CODES)])


def listened(stepper: Stepper, words: Sequence[str], tokens: Tokens, codes: Tensor) -> Voice:
    """The voice of a recording: codes int64 [Q, T], `tokens` of the words that are said in it.

    Where it is too long, the model listens to it once, and its attention tells where a word ends.
    """
    if codes.shape[1] <= LONGEST_CODES:
        return Voice(tuple(words), codes)
    ids = torch.tensor([tokens.ids], device=codes.device)
    fed = delay(codes)[:, None, : codes.shape[1]]
    heard = stepper.model(fed, stepper.model.encode_text(ids)).attention[0, 1]
    return shortened(words, codes, align(heard.float().cpu().numpy(), tokens.words))
