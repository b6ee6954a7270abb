"""The text encoder: a transformer without output projections and without a final norm."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from avatarlab_ops.engines.speech.small_e.layers import Rotary, SwiGLU


class SelfAttention(nn.Module):
    """Every text token looks at every other, with rotary positions on half of each head."""

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(dim, 3 * dim)
        self.rotary = Rotary(dim // heads // 2)

    def forward(self, x: Tensor) -> Tensor:
        """[B, J, dim] to the same."""
        heads = self.qkv(x).view(*x.shape[:2], 3 * self.heads, -1)  # [B, J, 3*heads, dim/heads]
        q, k, v = heads.transpose(1, 2).chunk(3, 1)
        y = F.scaled_dot_product_attention(self.rotary(q), self.rotary(k), v)
        return y.transpose(1, 2).reshape(x.shape)


class TextBlock(nn.Module):
    """Attention over the text, then the feed-forward layer, each added to its normed input."""

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.tmix = SelfAttention(dim, heads)
        self.cmix = SwiGLU(dim)
        self.norm1 = nn.LayerNorm(dim)
        self.norm2 = nn.LayerNorm(dim)

    def forward(self, x: Tensor) -> Tensor:
        """[B, J, dim] to the same."""
        x = x + self.tmix(self.norm1(x))
        y: Tensor = x + self.cmix(self.norm2(x))
        return y


class TextEncoder(nn.Module):
    """`layers` blocks one after the other."""

    def __init__(self, dim: int, heads: int, layers: int) -> None:
        super().__init__()
        self.sa = nn.Sequential(*(TextBlock(dim, heads) for _ in range(layers)))

    def forward(self, x: Tensor) -> Tensor:
        """[B, J, dim] to the same."""
        y: Tensor = self.sa(x)
        return y
