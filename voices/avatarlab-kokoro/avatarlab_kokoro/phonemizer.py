"""Text to phones by espeak-ng (GPL-3.0), a process of its own: no video is made where it is loaded.

Run as `python -m avatarlab_kokoro.phonemizer VOICE`. Standard input: a JSON list of clauses, each a list of
words. Standard output: the same lists, with IPA instead of each word; sounds of one letter tied by "^".
"""

from __future__ import annotations

import ctypes
import json
import re
import sys

import espeakng_loader

_SYNCHRONOUS = 2  # espeak-ng/speak_lib.h
_UTF8 = 1
_IPA_TIED = 0x02 | 0x80 | ord("^") << 8
_FOREIGN = re.compile(r"\([a-z^-]+\)")  # (^e^n), (^f^r): where it changes to another language's rules


def main() -> None:
    """Answer one question."""
    library = _library(sys.argv[1])
    clauses = json.load(sys.stdin)
    json.dump([_clause(library, words) for words in clauses], sys.stdout)


def _library(voice: str) -> ctypes.CDLL:
    library = ctypes.CDLL(espeakng_loader.get_library_path())
    library.espeak_TextToPhonemes.restype = ctypes.c_char_p
    library.espeak_TextToPhonemes.argtypes = (ctypes.POINTER(ctypes.c_char_p), ctypes.c_int, ctypes.c_int)
    data = espeakng_loader.get_data_path().encode()
    if library.espeak_Initialize(_SYNCHRONOUS, 0, data, 0) < 0:
        raise RuntimeError("espeak-ng does not start")
    if library.espeak_SetVoiceByName(voice.encode()) != 0:
        raise RuntimeError(f"espeak-ng has no voice {voice!r}")
    return library


def _clause(library: ctypes.CDLL, words: list[str]) -> list[str]:
    """Phones of each word; words that espeak-ng runs together are asked one by one."""
    together = _phones(library, " ".join(words)).split()
    if len(together) == len(words):
        return together
    return [_phones(library, word) for word in words]


def _phones(library: ctypes.CDLL, text: str) -> str:
    rest = ctypes.c_char_p(text.encode())
    found = []
    while rest.value:
        found.append(library.espeak_TextToPhonemes(ctypes.byref(rest), _UTF8, _IPA_TIED).decode())
    return " ".join(_FOREIGN.sub("", " ".join(found)).split())


if __name__ == "__main__":
    main()
