"""What viewers are told of a synthetic video, drawn into its picture: an icon in a corner or an end card."""

from __future__ import annotations

import cv2
import numpy as np

from avatarlab_ops.environment import AiLabel
from avatarlab_ops.frames import Frame
from avatarlab_ops.label_texts import Texts, texts
from avatarlab_ops.media import lettering
from avatarlab_ops.media.captions import Overlay

SHOWN_S, EVERY_S = 5.0, 30.0  # the icon shows at the start of each half minute
CARD_S = 3.0
_ICON_HEIGHT, _CARD_HEIGHT = 0.075, 0.2  # of the shorter side
_DARK, _WHITE = 24, 255
_DARKNESS = 0.65  # of what lies under the icon
_WEIGHT = 650


def icon_shows(time_s: float) -> bool:
    """Whether the icon shows at this time of a video, in seconds."""
    return time_s % EVERY_S < SHOWN_S - 1e-6


def icon(width: int, height: int, kind: AiLabel, language: str) -> Overlay | None:
    """The sign and its words on a dark plate in the upper left corner of a picture of this size.

    None for a kind of label that is no icon.
    """
    text, words = _text(language), _words(kind, language)
    if not words:
        return None
    tall = max(16, round(_ICON_HEIGHT * min(width, height)))
    edge, size = tall // 2, round(tall * 0.5)
    sign = _sign(tall, text.sign)
    wide = sign.shape[1] + lettering.width(words, size, _WEIGHT) + tall // 2
    drawn = np.zeros((tall, width, 3), np.uint8)
    alpha = np.zeros((tall, width), np.uint8)
    _plate(alpha[:, edge : edge + wide], round(255 * _DARKNESS), tall // 4)
    drawn[alpha > 0] = _DARK
    drawn[:, edge : edge + sign.shape[1]] = np.maximum(drawn[:, edge : edge + sign.shape[1]], sign)
    left = edge + sign.shape[1] + tall // 8
    lettering.draw(drawn, words, (left, round(tall * 0.68)), size, _WEIGHT)
    return Overlay(edge, drawn, np.maximum(alpha, np.where(drawn[..., 0] > _DARK, drawn[..., 0], 0)))


def _text(language: str) -> Texts:
    """English for a script that this machine cannot set."""
    found = texts(language)
    return found if lettering.can_join() or not lettering.must_join(found.full) else texts("en")


def _words(kind: AiLabel, language: str) -> str:
    text = _text(language)
    return {"icon": text.full, "icon_partial": text.partial, "icon_deepfake": text.deepfake}.get(kind, "")


def end_card(width: int, height: int, language: str) -> Frame:
    """RGB uint8 [height, width, 3]: the sign above the sentence, white on dark."""
    text = _text(language)
    card = np.full((height, width, 3), _DARK, np.uint8)
    sign = _sign(round(_CARD_HEIGHT * min(width, height)), text.sign)
    top, left = height // 2 - sign.shape[0], (width - sign.shape[1]) // 2
    card[top : top + sign.shape[0], left : left + sign.shape[1]] = sign
    size = round(0.06 * min(width, height))
    size = min(size, int(size * 0.9 * width / lettering.width(text.sentence, size, _WEIGHT)))
    left = (width - lettering.width(text.sentence, size, _WEIGHT)) // 2
    lettering.draw(card, text.sentence, (left, height // 2 + 2 * size), size, _WEIGHT)
    return card


def _sign(tall: int, sign: str) -> Frame:
    """The letters in a frame, white on dark, as tall as is asked and as wide as they need."""
    size = round(tall * 0.5)
    letters, margin, line = lettering.width(sign, size, _WEIGHT), round(tall * 0.18), max(1, tall // 18)
    wide = letters + 4 * margin
    drawn = np.full((tall, wide, 3), _DARK, np.uint8)
    corners = (margin, margin), (wide - margin, tall - margin)
    cv2.rectangle(drawn, *corners, (_WHITE,) * 3, line, cv2.LINE_AA)
    lettering.draw(drawn, sign, (2 * margin, round(tall * 0.68)), size, _WEIGHT)
    return drawn


def _plate(alpha: np.ndarray, value: int, radius: int) -> None:
    """A rectangle with round corners, filling `alpha`."""
    tall, wide = alpha.shape
    shape = np.zeros((tall, wide), np.uint8)
    cv2.rectangle(shape, (radius, 0), (wide - radius - 1, tall - 1), value, cv2.FILLED)
    cv2.rectangle(shape, (0, radius), (wide - 1, tall - radius - 1), value, cv2.FILLED)
    for x in (radius, wide - radius - 1):
        for y in (radius, tall - radius - 1):
            cv2.circle(shape, (x, y), radius, value, cv2.FILLED, cv2.LINE_AA)
    alpha[:] = shape
