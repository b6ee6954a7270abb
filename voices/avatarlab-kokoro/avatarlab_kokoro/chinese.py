"""Chinese text to words with sounds: words by jieba's dictionary, syllables by pypinyin, both under MIT."""

from __future__ import annotations

import re
from collections.abc import Mapping

from avatarlab_kokoro.unspaced import LATIN, PUNCTUATION, joined
from avatarlab_ops.engines.speech.spoken import SpokenWord

# Pinyin=sounds, initials and finals in their strict forms (v is ü).
_INITIALS = "b=p p=pʰ m=m f=f d=t t=tʰ n=n l=l g=k k=kʰ h=x j=ʨ q=ʨʰ x=ɕ zh=ꭧ ch=ꭧʰ sh=ʂ r=ɻ z=ʦ c=ʦʰ s=s"
_FINALS = (
    "a=a o=wo e=ɤ ê=ɛ er=ɚ ai=ai ei=ei ao=au ou=ou an=an en=ən ang=aŋ eng=əŋ ong=ʊŋ i=i ia=ja ie=je io=jɔ "
    "iao=jau iou=jou ian=jɛn in=in iang=jaŋ ing=iŋ iong=jʊŋ u=u ua=wa uo=wo uai=wai uei=wei uan=wan uen=wən "
    "uang=waŋ ueng=wəŋ v=y ve=ɥe van=ɥɛn vn=yn m=m n=n ng=ŋ"
)
_TONES = {"1": "→", "2": "↗", "3": "↓", "4": "↘", "5": ""}
_BUZZED = ("zh", "ch", "sh", "r", "z", "c", "s")  # whose "i" is no [i]
_FOREIGN = re.compile(rf"([0-9.]*{LATIN}(?:[-.@_/:0-9]*{LATIN})*)")  # Wi-Fi, a.b@example.com: one word
_HAN = re.compile(r"[\u3400-\u9fff\uf900-\ufaff\u3007\U00020000-\U0003ffff]")


def _table(pairs: str) -> dict[str, str]:
    return {pinyin: sounds for pinyin, _, sounds in (pair.partition("=") for pair in pairs.split())}


_INITIAL_SOUNDS, _FINAL_SOUNDS = _table(_INITIALS), _table(_FINALS)


def words(text: str, foreign: Mapping[str, str]) -> list[SpokenWord]:
    """Words whose texts joined are `text`; `foreign`: sounds of the words in Latin letters."""
    import rjieba

    parts = enumerate(_FOREIGN.split(text))
    tokens = [token for n, part in parts for token in ([part] if n % 2 else rjieba.cut(part))]
    return joined((token, _sounds(token, foreign)) for token in tokens)


def _sounds(token: str, foreign: Mapping[str, str]) -> str:
    """Letters without known sounds are silent: in the voice's alphabet they would be other sounds."""
    if _HAN.search(token):
        return _syllables(token)
    parts = re.findall(rf"{LATIN}|.", token, re.DOTALL)
    return "".join(
        foreign.get(part, "") if part[0].isalpha() else PUNCTUATION.get(part, part) for part in parts
    )


def _syllables(word: str) -> str:
    from pypinyin import Style, lazy_pinyin

    initials = lazy_pinyin(word, style=Style.INITIALS, errors="ignore")
    finals = lazy_pinyin(word, style=Style.FINALS_TONE3, errors="ignore", neutral_tone_with_five=True)
    whole = lazy_pinyin(word, style=Style.TONE3, errors="ignore", neutral_tone_with_five=True)
    # In 嗯 (n2) and 噷 (hm5) a consonant is what is hummed, which strict pinyin calls no final.
    hummed = [one.removeprefix(initial) for one, initial in zip(whole, initials, strict=True)]
    return "".join(
        map(_syllable, initials, [final or rest for final, rest in zip(finals, hummed, strict=True)])
    )


def _syllable(initial: str, final: str) -> str:
    vowel, tone = final.rstrip("12345"), _TONES.get(final[-1:], "")
    if vowel == "i" and initial in _BUZZED:
        sounds = "ɨ"
    else:
        sounds = _FINAL_SOUNDS.get(vowel, "".join(_FINAL_SOUNDS.get(char, char) for char in vowel))
    core = sounds.rstrip("nŋ") if len(sounds) > 1 else sounds
    return f"{_INITIAL_SOUNDS.get(initial, '')}{core}{tone}{sounds[len(core) :]}"
