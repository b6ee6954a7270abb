"""What viewers are told of a synthetic video, in the languages of the voices and some more."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Texts:
    """The letters of the sign, the words beside it on three levels, and the sentence of the end card."""

    sign: str
    full: str
    partial: str
    deepfake: str
    sentence: str


_ENGLISH = Texts("AI", "Made with AI", "Partly made with AI", "Deepfake", "This video was made with AI.")
_TEXTS = {
    "en": _ENGLISH,
    "de": Texts("KI", "Mit KI erstellt", "Teils mit KI erstellt", "Deepfake",
                "Dieses Video wurde mit KI erstellt."),
    "es": Texts("IA", "Hecho con IA", "Hecho en parte con IA", "Ultrafalso", "Este vídeo se hizo con IA."),
    "fr": Texts("IA", "Réalisé avec l'IA", "Réalisé en partie avec l'IA", "Hypertrucage",
                "Cette vidéo a été réalisée avec l'IA."),
    "hi": Texts("AI", "AI से बनाया गया", "आंशिक रूप से AI से बनाया गया", "डीपफ़ेक",
                "यह वीडियो AI से बनाया गया है।"),
    "it": Texts("IA", "Fatto con l'IA", "Fatto in parte con l'IA", "Deepfake",
                "Questo video è stato fatto con l'IA."),
    "nl": Texts("AI", "Gemaakt met AI", "Deels gemaakt met AI", "Deepfake", "Deze video is gemaakt met AI."),
    "pl": Texts("AI", "Wykonano z użyciem AI", "Częściowo wykonano z użyciem AI", "Deepfake",
                "Ten film powstał z użyciem AI."),
    "pt": Texts("IA", "Feito com IA", "Feito em parte com IA", "Deepfake", "Este vídeo foi feito com IA."),
}  # fmt: skip


def texts(language: str) -> Texts:
    """The texts of a language (`pt` for `pt-BR`), English where it has none."""
    return _TEXTS.get(language.partition("-")[0], _ENGLISH)
