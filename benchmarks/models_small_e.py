"""Small-E's language model at its released size (62.8 M, keyed weights): a step beside the limit of memory.

A step reads every weight of the recurrent part once, so it can be no faster than reading as many bytes; that
is measured in the same run, with as many threads, by summing them. RTF: seconds of work per second of speech.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

ROOT = Path(__file__).resolve().parents[1]
STEPS = 6  # a run: short, so that the best one falls between the bursts of a shared machine
RUNS = 12  # interleaved with the limit's; the best counts
STEPS_PER_S = 75
THREADS = (1, 2)


def main() -> None:
    """Print one line for each number of threads, kind of weights and batch."""
    sys.path.insert(0, str(ROOT / "tests"))
    from avatarlab_ops.engines.speech.small_e.step import Stepper, bfloat16

    print("threads  weights   batch   ms/step   RTF   RTF/voice   limit ms   limit/step")
    for kind in ("fp32", "bf16"):
        model = _network()
        stepper = Stepper(bfloat16(model) if kind == "bf16" else model)
        for threads in THREADS:
            torch.set_num_threads(threads)
            for batch in (1, 4):
                step_s, limit_s = _measured(stepper, batch)
                rtf = step_s * STEPS_PER_S
                print(
                    f"{threads:7}  {kind:7} {batch:6} {step_s * 1e3:9.2f} {rtf:6.2f} {rtf / batch:9.2f} "
                    f"{limit_s * 1e3:11.2f} {limit_s / step_s:10.0%}",
                    flush=True,
                )


def _step_bytes(model: Any) -> int:
    """Bytes of the weights that a step reads: not those for the text, and none of the embeddings."""
    attention = model.attentive_rnn.cross_att
    read_once = (*model.txt_encoder.parameters(), *attention.k.parameters(), *attention.v.parameters())
    left_out = {id(weight) for weight in (*read_once, model.txt_embed.weight, model.rvq_embed.weight)}
    return sum(weight.nbytes for weight in model.parameters() if id(weight) not in left_out)


@torch.inference_mode()
def _measured(stepper: object, batch: int) -> tuple[float, float]:
    """Seconds of a step and of its limit."""
    from avatarlab_ops.engines.speech.small_e.step import Stepper

    assert isinstance(stepper, Stepper)
    text = stepper.model.encode_text(torch.arange(1, 61)[None])
    tokens = torch.ones(stepper.model.config.codebooks, batch, dtype=torch.int64)
    _, progress = stepper.begin(tokens[:, :1, None], text, batch)
    read = torch.randn(_step_bytes(stepper.model) // 4)

    def run() -> None:
        for _ in range(STEPS):
            stepper.step(tokens, text, progress)

    def limit() -> None:
        for _ in range(STEPS):
            read.sum()

    step_s = limit_s = float("inf")
    for _ in range(RUNS):  # alternating: both see the same neighbours
        step_s, limit_s = min(step_s, _timed(run)), min(limit_s, _timed(limit))
    return step_s / STEPS, limit_s / STEPS


def _timed(run: Callable[[], None]) -> float:
    started = time.perf_counter()
    run()
    return time.perf_counter() - started


def _network() -> object:
    from kit.small_e_models import network

    from avatarlab_ops.engines.speech.small_e.config import Config

    return network(Config(512, 6, 9, 4, 4, 512, 1024, 512, codebooks=4, codebook_size=1024))


if __name__ == "__main__":
    main()
