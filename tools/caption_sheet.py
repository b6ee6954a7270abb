"""docs/images/captions.webp, burned captions in five scripts: `python -m tools.caption_sheet` (needs `make voices`).

Cut, broken and drawn by the code that draws them into videos of 1280x720 and 720x1280 (lower parts are shown),
at a made-up pace; words of Chinese and Japanese are those that Kokoro finds.
"""

# ruff: noqa: E501, RUF001  (letters of many scripts)

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from avatarlab_ops.media.captions import CaptionPainter, captions, line_chars_for
from avatarlab_ops.timeline import Timeline, Word, spaced

ROOT = Path(__file__).parents[1]
TEXTS = {
    "ar": "هل لديكم أسئلة؟ اكتبوا إلينا على help@example.com وسنجيب خلال يومين.",
    "hi": "क्षेत्रीय विद्यार्थियों की राष्ट्रीय प्रतियोगिता में श्रेष्ठ प्रस्तुति को ₹5,000 मिलेंगे।",
    "zh": "欢迎您来我们的商店看一看，“先试后买”，不满意可以退货！",
    "ja": "ぜひお店で「コンピューターグラフィックスアプリケーション」をお試しください。",
    "de": "Das Rindfleischetikettierungsüberwachungsaufgabenübertragungsgesetz gilt seit dem 3. März 2024.",
}
PARTS = {(1280, 720): (0.68, 0.95), (720, 1280): (0.81, 0.94)}  # of the height, by the picture's size
SHOWN = {(1280, 720): 1, (720, 1280): 2}  # captions of each
TALL = 96  # pixels of a row


def main() -> None:
    """A row for each language: its first captions wide, then upright."""
    rows = [[cell for size in PARTS for cell in shown(language, *size)] for language in TEXTS]
    sheet = Image.new("RGB", (sum(cell.width for cell in rows[0]), TALL * len(rows)))
    for number, row in enumerate(rows):
        left = 0
        for cell in row:
            sheet.paste(cell, (left, TALL * number))
            left += cell.width
    sheet.save(ROOT / "docs" / "images" / "captions.webp", quality=80, method=6)


def shown(language: str, width: int, height: int) -> list[Image.Image]:
    """The lower parts of pictures with the first captions; the bare picture where there are no more."""
    drawn = captions(spoken(language), line_chars=line_chars_for(width, height))
    painter = CaptionPainter(drawn, width, height)
    with Image.open(ROOT / "demo" / "astronaut.png") as image:
        ground = np.asarray(ImageOps.fit(image.convert("RGB"), (width, height)), np.uint8)
    top, end = (round(height * part) for part in PARTS[width, height])
    cells = []
    for number in range(SHOWN[width, height]):
        picture = ground.copy()
        if number < len(drawn):
            painter.burn(picture, drawn[number].start_s)
        part = Image.fromarray(picture[top:end])
        cells.append(part.resize((round(width * TALL / (end - top)), TALL), Image.Resampling.LANCZOS))
    return cells


def spoken(language: str) -> Timeline:
    """The words at a steady pace."""
    from avatarlab_kokoro.words import written_words  # only where `make voices` put it

    words, now_s = list[Word](), 0.0
    for text in written_words(TEXTS[language], language):
        end_s = now_s + len(text) * (0.07 if spaced(language) else 0.2)
        words.append(Word(text=text, sentence=0, start_s=now_s, end_s=end_s))
        now_s = end_s
    return Timeline(
        duration_s=now_s, sample_rate=24_000, language=language, words=tuple(words), phones=(), visemes=()
    )


if __name__ == "__main__":
    main()
