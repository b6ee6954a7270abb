"""MobileNetV3-Large (Howard et al. 2019) as a pyramid of four feature maps, dilated to stop at 1/16."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor, nn

from avatarlab_ops.engines.matting.rvm.decoder import Pyramid

CHANNELS = (16, 24, 40, 960)  # of the maps at 1/2, 1/4, 1/8, 1/16
MEAN = (0.485, 0.456, 0.406)  # ImageNet statistics: this backbone normalises its input itself
STD = (0.229, 0.224, 0.225)


class Row(NamedTuple):
    """One inverted residual of the table in the paper."""

    channels: int
    kernel: int
    expand: int
    out: int
    squeeze: bool
    hardswish: bool
    stride: int
    dilation: int


ROWS = (
    Row(16, 3, 16, 16, False, False, 1, 1),
    Row(16, 3, 64, 24, False, False, 2, 1),
    Row(24, 3, 72, 24, False, False, 1, 1),
    Row(24, 5, 72, 40, True, False, 2, 1),
    Row(40, 5, 120, 40, True, False, 1, 1),
    Row(40, 5, 120, 40, True, False, 1, 1),
    Row(40, 3, 240, 80, False, True, 2, 1),
    Row(80, 3, 200, 80, False, True, 1, 1),
    Row(80, 3, 184, 80, False, True, 1, 1),
    Row(80, 3, 184, 80, False, True, 1, 1),
    Row(80, 3, 480, 112, True, True, 1, 1),
    Row(112, 3, 672, 112, True, True, 1, 1),
    Row(112, 5, 672, 160, True, True, 2, 2),
    Row(160, 5, 960, 160, True, True, 1, 2),
    Row(160, 5, 960, 160, True, True, 1, 2),
)
TAPS = (1, 3, 6, 16)  # indices in `features` whose outputs are the four maps


def conv_norm(
    channels: int,
    out: int,
    kernel: int,
    act: type[nn.Module] | None,
    *,
    stride: int = 1,
    dilation: int = 1,
    groups: int = 1,
) -> nn.Sequential:
    """Bias-free convolution that keeps the size (or halves it), batch norm, activation."""
    padding = (kernel - 1) // 2 * dilation
    conv = nn.Conv2d(channels, out, kernel, stride, padding, dilation, groups, bias=False)
    layers: list[nn.Module] = [conv, nn.BatchNorm2d(out, eps=1e-3)]
    return nn.Sequential(*layers, *([act(inplace=True)] if act else []))


def squeeze_width(expand: int) -> int:
    """A quarter of `expand`, rounded to a multiple of 8 that loses no more than a tenth."""
    wanted = expand // 4
    rounded = max(8, int(wanted + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * wanted else rounded


class SqueezeExcitation(nn.Module):
    """Scale each channel by a gate computed from the channel means."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        width = squeeze_width(channels)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc1 = nn.Conv2d(channels, width, 1)
        self.fc2 = nn.Conv2d(width, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, H, W] to the same."""
        gate: Tensor = self.fc2(self.fc1(self.avgpool(x)).relu())  # [B, C, 1, 1]
        return x * nn.functional.hardsigmoid(gate)


class InvertedResidual(nn.Module):
    """Expand, filter each channel, gate, project; added to the input where the shape allows."""

    def __init__(self, row: Row) -> None:
        super().__init__()
        act = nn.Hardswish if row.hardswish else nn.ReLU
        stride = 1 if row.dilation > 1 else row.stride  # dilation replaces the stride
        layers: list[nn.Module] = []
        if row.expand != row.channels:
            layers.append(conv_norm(row.channels, row.expand, 1, act))
        depthwise = {"stride": stride, "dilation": row.dilation, "groups": row.expand}
        layers.append(conv_norm(row.expand, row.expand, row.kernel, act, **depthwise))
        if row.squeeze:
            layers.append(SqueezeExcitation(row.expand))
        layers.append(conv_norm(row.expand, row.out, 1, None))
        self.block = nn.Sequential(*layers)
        self.residual = row.stride == 1 and row.channels == row.out

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, H, W] to [B, out, H/stride, W/stride]."""
        y: Tensor = self.block(x)
        return x + y if self.residual else y


class MobileNetV3(nn.Module):
    """Input RGB [B, 3, H, W] in 0..1; see `CHANNELS` for the output."""

    channels = CHANNELS

    def __init__(self) -> None:
        super().__init__()
        stem = conv_norm(3, 16, 3, nn.Hardswish, stride=2)
        head = conv_norm(160, 960, 1, nn.Hardswish)
        self.features = nn.Sequential(stem, *(InvertedResidual(row) for row in ROWS), head)

    def forward(self, x: Tensor) -> Pyramid:
        """RGB [B, 3, H, W] to maps of 16, 24, 40 and 960 channels at 1/2, 1/4, 1/8 and 1/16."""
        x = (x - x.new_tensor(MEAN).view(3, 1, 1)) / x.new_tensor(STD).view(3, 1, 1)
        maps: list[Tensor] = []
        for index, layer in enumerate(self.features):
            x = layer(x)
            if index in TAPS:
                maps.append(x)
        return Pyramid(*maps)
