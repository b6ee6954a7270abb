"""ResNet-50 (He et al. 2015) as a pyramid of four feature maps, the last dilated to stop at 1/16."""

from __future__ import annotations

from torch import Tensor, nn

from avatarlab_ops.engines.matting.rvm.decoder import Pyramid

CHANNELS = (64, 256, 512, 2048)  # of the maps at 1/2, 1/4, 1/8, 1/16


class Bottleneck(nn.Module):
    """1x1 down, 3x3, 1x1 up to four times `width`, added to the (projected) input."""

    def __init__(self, channels: int, width: int, stride: int, dilation: int) -> None:
        super().__init__()
        out = 4 * width
        self.conv1 = nn.Conv2d(channels, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride, padding=dilation, dilation=dilation, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, out, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(out)
        self.downsample: nn.Module | None = None
        if stride != 1 or channels != out:
            self.downsample = nn.Sequential(
                nn.Conv2d(channels, out, 1, stride, bias=False), nn.BatchNorm2d(out)
            )

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, H, W] to [B, 4*width, H/stride, W/stride]."""
        y: Tensor = self.bn1(self.conv1(x)).relu_()
        y = self.bn2(self.conv2(y)).relu_()
        y = self.bn3(self.conv3(y))
        return y.add_(x if self.downsample is None else self.downsample(x)).relu_()


def stage(channels: int, width: int, blocks: int, *, stride: int = 1, dilation: int = 1) -> nn.Sequential:
    """`blocks` bottlenecks; the first strides and is never dilated."""
    rest = (Bottleneck(4 * width, width, 1, dilation) for _ in range(blocks - 1))
    return nn.Sequential(Bottleneck(channels, width, stride, 1), *rest)


class ResNet50(nn.Module):
    """Input RGB [B, 3, H, W] in 0..1, NOT normalised (unlike MobileNetV3); see `CHANNELS` for the output."""

    channels = CHANNELS

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, 2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.maxpool = nn.MaxPool2d(3, 2, padding=1)
        self.layer1 = stage(64, 64, 3)
        self.layer2 = stage(256, 128, 4, stride=2)
        self.layer3 = stage(512, 256, 6, stride=2)
        self.layer4 = stage(1024, 512, 3, dilation=2)

    def forward(self, x: Tensor) -> Pyramid:
        """RGB [B, 3, H, W] to maps of 64, 256, 512 and 2048 channels at 1/2, 1/4, 1/8 and 1/16."""
        f1: Tensor = self.bn1(self.conv1(x)).relu_()
        f2: Tensor = self.layer1(self.maxpool(f1))
        f3: Tensor = self.layer2(f2)
        f4: Tensor = self.layer4(self.layer3(f3))
        return Pyramid(f1, f2, f3, f4)
