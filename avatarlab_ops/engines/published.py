"""Checkpoints that others publish and an operator adds: `avatarlab models add FILE --as NAME`.

None can be shipped here. What is said of each comes from its authors' pages; digests are known once a file is
added. Imports nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class PublishedFile:
    """One model file that is made from a published one.

    `upstream` is the published file, `source` where it is published, `upstream_sha256` its digest where its
    authors state one. `consequence` says what the licence asks.
    """

    name: str
    upstream: str
    source: str
    licence: str
    consequence: str
    non_commercial: bool = False
    upstream_sha256: str | None = None

    @property
    def command(self) -> str:
        """The command that adds it."""
        accept = f" --accept-licence {self.licence}" if self.non_commercial else ""
        return f"avatarlab models add FILE --as {self.name}{accept}"


_RVM: dict[str, Any] = {
    "source": "GitHub PeterL1n/RobustVideoMatting, release v1.0.0",
    "licence": "GPL-3.0",
    "consequence": (
        "the code's licence; its authors never stated one for the weights. Videos made with them are yours; "
        "clear it with them before you pass the file on"
    ),
}
_DIFFDUB: dict[str, Any] = {
    "source": "Hugging Face taocode/diffdub",
    "licence": "academic-use-only",
    "consequence": "its authors offer the materials for academic use only, not for a product",
    "non_commercial": True,
}
_LINA_SPEECH: dict[str, Any] = {
    "source": "Hugging Face lina-speech/all-models",
    "licence": "CC-BY-NC-SA-4.0",
    "consequence": (
        "no commercial use, changes under the same licence; disclose that the speech is synthetic, and have "
        "the permission of the voice's owner"
    ),
    "non_commercial": True,
}
_MIT: dict[str, Any] = {"licence": "MIT", "consequence": "the code's licence: free to use, keep the notice"}

_FILES = (
    PublishedFile("rvm_mobilenetv3.safetensors", "rvm_mobilenetv3.pth", **_RVM),
    PublishedFile("rvm_resnet50.safetensors", "rvm_resnet50.pth", **_RVM),
    PublishedFile("diffdub_stage1.safetensors", "stage1_state_dict.ckpt", **_DIFFDUB),
    PublishedFile("diffdub_stage2.safetensors", "stage2_state_dict.ckpt", **_DIFFDUB),
    PublishedFile(
        "hubert_large.safetensors",
        "the weights of transformers' HubertModel",
        source="Hugging Face TencentGameMate/chinese-hubert-large",
        licence="see-source",
        consequence="read the licence where it is published before you use the file",
    ),
    PublishedFile("small_e.safetensors", "a GLA model of Small-E (*.pt)", **_LINA_SPEECH),
    PublishedFile(
        "bpe256.json",
        "bpe256.json",
        **_LINA_SPEECH | {"source": "GitHub theodorblackbird/lina-speech"},
    ),
    PublishedFile(
        "lina.safetensors",
        "lina_gla_gigaspeech_d1024l12_convblind_shortconv_lr2e-4/last.ckpt",
        **_LINA_SPEECH,
    ),
    PublishedFile(
        "vocos_encodec_24khz.safetensors",
        "pytorch_model.bin",
        source="Hugging Face charactr/vocos-encodec-24khz",
        **_MIT,
    ),
    PublishedFile(
        "encodec_24khz.safetensors",
        "encodec_24khz-d7cc33bc.th",
        source="the EnCodec release of its authors",
        **_MIT,
    ),
    PublishedFile(
        "wavtokenizer.safetensors",
        "wavtokenizer_medium_speech_320_24k.ckpt",
        source="the WavTokenizer release of its authors (medium, speech)",
        **_MIT,
    ),
)
PUBLISHED: dict[str, PublishedFile] = {file.name: file for file in _FILES}
