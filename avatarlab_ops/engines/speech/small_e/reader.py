"""One script read in one voice: words to clips, each piece the best of several attempts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import count

import numpy as np
import torch
from torch import Tensor

from avatarlab_ops.engines.batches import batched
from avatarlab_ops.engines.speech.clip import Clip
from avatarlab_ops.engines.speech.small_e import timing
from avatarlab_ops.engines.speech.small_e.alignment import Span, align
from avatarlab_ops.engines.speech.small_e.codec import Codec
from avatarlab_ops.engines.speech.small_e.generate import Attempt, Sampling, Step, attempts, rank, steps
from avatarlab_ops.engines.speech.small_e.step import Stepper
from avatarlab_ops.engines.speech.small_e.tokenizer import TextTokenizer
from avatarlab_ops.engines.speech.small_e.voice import Voice, shortened
from avatarlab_ops.engines.speech.spoken import SpokenWord
from avatarlab_ops.errors import ScriptRefused

USUAL_CODES = 7  # for a character, said slowly: how much text the steps that are left have room for
MOST_CODES = 14  # for a character: an attempt that needs more, and PAUSES besides, has lost its way
PAUSES = 150  # codes, 2 s
LEAST_CODES = 2  # for a word: an attempt that ends sooner has not said them all
ROUNDS = 3  # for a word that cannot be split
TICK = 75  # steps between two calls of `tick`
_CLAUSE_ENDS = (",", ";", ":", ".", "!", "?", "…", "—")
_NONE = torch.empty(0)


@dataclass
class Reader:
    """`voice`: what everything goes on in; None: the first piece draws one. `tick` is called now and then."""

    stepper: Stepper
    tokenizer: TextTokenizer
    codec: Codec
    candidates: int
    seed: int
    voice: Voice | None
    tick: Callable[[], None]
    sampling: Sampling = field(default_factory=Sampling)

    def read(self, words: Sequence[SpokenWord], number: int) -> Iterator[Clip]:
        """Clips of sentence `number`, in order; their sounds count `words`. Raises ScriptRefused."""
        turns = count()
        room = self.sampling.max_steps - (self.voice.codes.shape[1] if self.voice else 0)
        for piece in pieces(words, room // USUAL_CODES):
            yield from self._said(words, piece, number, turns)

    def _said(
        self, words: Sequence[SpokenWord], piece: range, number: int, turns: Iterator[int]
    ) -> Iterator[Clip]:
        """One piece, in halves where no attempt comes to an end."""
        texts = [words[index].text for index in piece]
        if max(self.tokenizer.encode(texts).words) < 0:
            return
        for _ in range(ROUNDS if len(piece) == 1 else 1):
            best = self._best(texts, [self.seed % 2**64, number, next(turns)])
            if best is not None:
                attempt, said = best
                samples = self.codec.decode(attempt.codes)
                clip = timing.clip(samples, words, {piece[i]: span for i, span in said.items()}, piece)
                if clip.sounds:
                    self.voice = self.voice or shortened(texts, attempt.codes, said)
                    yield clip
                return
        if len(piece) == 1:
            raise ScriptRefused(
                f"the voice never comes to the end of {texts[0]!r}, in {ROUNDS} times {self.candidates} "
                "attempts; write it otherwise, or choose another seed or voice sample"
            )
        half_way = _cut(texts, sum(map(len, texts)) // 2 + len(texts[0]))
        middle = piece.start + min(half_way, len(piece) - 1)  # neither half is the whole
        for half in (range(piece.start, middle), range(middle, piece.stop)):
            yield from self._said(words, half, number, turns)

    def _best(self, texts: Sequence[str], stream: list[int]) -> tuple[Attempt, dict[int, Span]] | None:
        """The best attempt that comes to an end, and the codes in which each of the texts is said."""
        before = self.voice.words if self.voice else ()
        fed = self.voice.codes.shape[1] if self.voice else 0
        tokens = self.tokenizer.encode([*before, *texts])
        most = fed + PAUSES + MOST_CODES * sum(len(text) + 1 for text in texts)
        sampling = replace(self.sampling, max_steps=min(self.sampling.max_steps, most))
        ids = torch.tensor([tokens.ids], device=self.stepper.device)
        chances = [self._chances([*stream, index], sampling) for index in range(self.candidates)]
        found = batched(lambda batch: self._attempts(ids, fed, batch, sampling), chances, self.candidates)
        ended = [a for a in found if a.finished and a.codes.shape[1] >= LEAST_CODES * len(texts)]
        if not ended:
            return None
        best = rank(ended)[0]
        owners = [word - len(before) for word in tokens.words]
        first = next(place for place, word in enumerate(owners) if word >= 0)
        seen = best.attention[1 : 1 + best.codes.shape[1], first:]  # `cut` drops the first code
        return best, align(seen.float().cpu().numpy(), [max(word, -1) for word in owners[first:]])

    def _attempts(
        self, ids: Tensor, fed: int, chances: Sequence[Tensor], sampling: Sampling
    ) -> list[Attempt]:
        drawn: list[Step] = []
        prompt = self.voice.tokens if self.voice else None
        run = steps(
            self.stepper,
            ids,
            batch=len(chances),
            sampling=sampling,
            prompt=prompt,
            chances=torch.stack(list(chances)),
        )
        for time, step in enumerate(run):
            if time >= fed:
                drawn.append(step._replace(logits=_NONE))
            if time % TICK == 0:
                self.tick()
        return attempts(drawn)

    def _chances(self, stream: list[int], sampling: Sampling) -> Tensor:
        shape = (sampling.max_steps, sampling.greedy_from)
        drawn = np.random.default_rng(stream).random(shape, np.float32)
        return torch.from_numpy(drawn).to(self.stepper.device)


def pieces(words: Sequence[SpokenWord], longest: int) -> Iterator[range]:
    """Runs of words of at most `longest` characters, or of one word; cut after a clause if any."""
    start = 0
    while start < len(words):
        stop = start + _cut([word.text for word in words[start:]], longest)
        yield range(start, stop)
        start = stop


def _cut(texts: Sequence[str], longest: int) -> int:
    """How many words fit into `longest` characters, at least 1; fewer where a clause ends among them."""
    ends = np.cumsum([len(text) + 1 for text in texts]) - 1
    fitting = max(1, int((ends <= longest).sum()))
    if fitting == len(texts):
        return fitting
    clauses = [i + 1 for i, text in enumerate(texts[:fitting]) if text.endswith(_CLAUSE_ENDS)]
    return clauses[-1] if clauses else fitting
