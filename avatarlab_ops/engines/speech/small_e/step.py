"""The language model made ready to generate: one step for all candidates, with few passes over memory.

A step reads every weight once and computes little, so it is as fast as memory is. What `model.forward` does
for whole sequences is done here for one step with the projections of a block side by side in one matrix, the
memories changed in place and no tensor made that is not needed. A test holds the two together.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from avatarlab_ops.engines.speech.small_e.cross_attention import Text, attend
from avatarlab_ops.engines.speech.small_e.gla import EPSILON, FADE, RANK, Memory, RecurrentBlock
from avatarlab_ops.engines.speech.small_e.layers import Rotary
from avatarlab_ops.engines.speech.small_e.model import Lina, Output, State


@dataclass
class Progress:
    """Where generation stands; changed in place. The memories follow the order of the blocks."""

    memories: list[BlockMemory]
    time: int


class BlockMemory(NamedTuple):
    """s float32 [B, H, dk, dv]; taps [B, TAPS-1, channels of q, k and v] where the block convolves."""

    s: Tensor
    taps: Tensor | None


class Stepper:
    """`model` afterwards shares its weights with the stepper, so they lie in memory once."""

    def __init__(self, model: Lina) -> None:
        self.model = model
        cross = model.attentive_rnn.cross_att
        before, after = model.attentive_rnn.encoder, model.attentive_rnn.decoder
        self._before = [_Block(block) for block in before.children()]
        self._place = _Block(cross.pos_net)
        self._after = [_Block(block) for block in after.children()]
        _side_by_side(cross.q)
        self.device = model.txt_embed.weight.device
        self._rows = torch.arange(model.config.codebooks, device=self.device)[:, None]
        heads = _laid_out(model.logits_head.weight.data.flatten(0, 1))
        model.logits_head.weight.data = heads.view_as(model.logits_head.weight)
        self._heads = heads.mT

    def begin(self, tokens: Tensor, text: Text, batch: int) -> tuple[Output, Progress]:
        """Tokens [Q, 1, T] at once, and where `batch` candidates go on from there."""
        out: Output = self.model(tokens, text)
        return out, _progress(out.state, batch)

    def step(self, tokens: Tensor, text: Text, progress: Progress) -> tuple[Tensor, Tensor]:
        """Tokens int64 [Q, B] to logits [B, Q, tokens] and attention [B, J] over the text."""
        memories = iter(progress.memories)
        x = self.model.rvq_embed.weight[self._rows, tokens].sum(0)
        for block in self._before:
            x = block(x, next(memories))
        cross = self.model.attentive_rnn.cross_att
        q: Tensor = cross.ln_q(cross.q(x))
        if cross.rotary is not None:
            q = cross.rotary(q[:, None], progress.time)[:, 0]
        keys, values, positions = text.keys[0], text.values[0], text.positions
        place = self._place(attend(q, keys) @ positions, next(memories))
        attention = attend(place, positions)
        x = torch.addmm(x, attention, values)
        for block in self._after:
            x = block(x, next(memories))
        progress.time += 1
        return (x @ self._heads).view(len(x), len(self._rows), -1), attention


class _Block:
    """One recurrent block, a step at a time, on bare tensors: calling modules would cost as much again."""

    def __init__(self, block: nn.Module) -> None:
        assert isinstance(block, RecurrentBlock)  # noqa: S101 (what nn.ModuleList forgets)
        mix, feed = block.tmix, block.cmix
        low, high = mix.gk_proj.children()
        assert isinstance(low, nn.Linear)  # noqa: S101
        assert isinstance(high, nn.Linear)  # noqa: S101
        self._inward = _side_by_side(mix.q_proj, mix.k_proj, mix.v_proj, mix.g_proj, low)
        self._gate, self._gate_bias = high.weight.data.mT, high.bias.data
        self._outward = _side_by_side(mix.o_proj)
        self._widen, self._widen_bias = _side_by_side(feed.p_in), feed.p_in.bias.data
        self._narrow, self._narrow_bias = _side_by_side(feed.p_out), feed.p_out.bias.data
        self._norms = [(norm.weight.data, norm.bias.data, norm.eps) for norm in (block.norm1, block.norm2)]
        self._scale = mix.g_norm_swish_gate.weight.data
        keys, values = mix.q_proj.out_features, mix.v_proj.out_features
        self._parts, self._each = [2 * keys + values, values, RANK], [keys, keys, values]
        self._taps: Tensor | None = None
        if mix.short_convolution:
            taps = (mix.q_conv1d.weight, mix.k_conv1d.weight, mix.v_conv1d.weight)
            self._taps = torch.cat([weight.data[:, 0] for weight in taps]).mT.contiguous()  # [TAPS, channels]

    def __call__(self, x: Tensor, memory: BlockMemory) -> Tensor:
        """[B, dim] to the same; the memory is changed in place."""
        (weight, bias, eps), (weight2, bias2, _) = self._norms
        mixed = self._mixed(F.layer_norm(x, weight.shape, weight, bias, eps), memory)
        x = torch.addmm(x, mixed, self._outward)
        normed = F.layer_norm(x, weight2.shape, weight2, bias2, eps)
        gate, value = torch.addmm(self._widen_bias, normed, self._widen).chunk(2, -1)
        return torch.addmm(self._narrow_bias, F.silu(gate).mul_(value), self._narrow).add_(x)

    def _mixed(self, x: Tensor, memory: BlockMemory) -> Tensor:
        s = memory.s
        batch, heads, dk, dv = s.shape
        qkv, gate, low = (x @ self._inward).split_with_sizes(self._parts, -1)
        if memory.taps is not None and self._taps is not None:
            qkv = _convolved(qkv, memory.taps, self._taps)
        q, k, v = (part.to(s.dtype) for part in qkv.split_with_sizes(self._each, -1))
        keep = F.logsigmoid(torch.addmm(self._gate_bias, low, self._gate).to(s.dtype)).div_(FADE).exp_()
        each = s.view(batch * heads, dk, dv)
        each.mul_(keep.view(batch * heads, dk, 1))
        each.baddbmm_(k.reshape(batch * heads, dk, 1), v.reshape(batch * heads, 1, dv))
        o = torch.bmm((q * dk**-0.5).view(batch * heads, 1, dk), each).view(batch, heads, dv)
        gated = F.silu(gate).view(batch, heads, dv).mul_(self._scale).mul_(_normed(o).to(x.dtype))
        return gated.view(batch, heads * dv)


def _normed(x: Tensor) -> Tensor:
    """`F.rms_norm` over the last dimension, in place and in a third of the passes."""
    length = torch.linalg.vector_norm(x, dim=-1, keepdim=True)
    return x.mul_(length.square_().div_(x.shape[-1]).add_(EPSILON).rsqrt_())


def _convolved(qkv: Tensor, past: Tensor, taps: Tensor) -> Tensor:
    """One step of the short convolutions of [B, C]; `past` [B, TAPS-1, C] moves on in place."""
    window = torch.cat([past, qkv[:, None]], 1)
    past.copy_(window[:, 1:])
    return F.silu((window * taps).sum(1))


def _side_by_side(*layers: nn.Linear) -> Tensor:
    """The layers' weights as one matrix [dim, sum of their outputs], of which theirs become views."""
    joined = _laid_out(torch.cat([layer.weight.data for layer in layers]))
    for layer, part in zip(
        layers, joined.split_with_sizes([layer.out_features for layer in layers]), strict=True
    ):
        layer.weight.data = part
    return joined.mT


def _laid_out(weight: Tensor) -> Tensor:
    """The matrix in the order of memory in which one row times it is fastest.

    On the CPU float32 lies by columns: as fast at batch 1, a third faster at batch 4.
    """
    by_columns = weight.device.type == "cpu" and weight.dtype == torch.float32
    return weight.mT.contiguous().mT if by_columns else weight.contiguous()


def _progress(state: State, batch: int) -> Progress:
    memories = [_repeated(memory, batch) for memory in (*state.encoder, state.cross, *state.decoder)]
    return Progress(memories, state.time)


def _repeated(memory: Memory, batch: int) -> BlockMemory:
    taps = [part for part in memory[1:] if part is not None]
    return BlockMemory(
        memory.s.repeat(batch, 1, 1, 1), torch.cat(taps, -1).repeat(batch, 1, 1) if taps else None
    )


def bfloat16(model: Lina) -> Lina:
    """The model with weights of 16 bits: half the memory. Rotary positions stay exact."""
    exact = {name: part.freqs.clone() for name, part in model.named_modules() if isinstance(part, Rotary)}
    model.to(torch.bfloat16)
    for name, freqs in exact.items():
        model.get_submodule(name).freqs = freqs
    return model
