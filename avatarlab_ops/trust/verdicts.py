"""What a file can turn out to be, and the sentence that says so."""

from typing import Literal

Verdict = Literal[
    "published", "unchanged", "changed", "claimed", "recognised",
    "other_picture", "other_sound", "mixed", "marked", "foreign",
]  # fmt: skip
SENTENCES: dict[Verdict, str] = {
    "published": "This is a file that was published, byte for byte",
    "unchanged": "What was signed is unchanged, but the file is not the published one byte for byte",
    "changed": "It was made here and changed after it was signed",
    "claimed": "It names a video of ours, but our certificate did not sign it: do not believe it",
    "recognised": "Its sound and its picture are those of a video of ours; what else was done to it, nothing "
    "vouches for",
    "other_picture": "Its sound is that of a video of ours, its picture is not: do not take it for that one",
    "other_sound": "Its picture is that of a video of ours, its sound is not: do not take it for that one",
    "mixed": "Its sound is that of one video of ours, its picture that of another",
    "marked": "Its speech carries the mark that this system sets, but is that of no video known here",
    "foreign": "It is not known here",
}
ONLY_SOUND = "Its sound is that of a video of ours; nothing can be said of a picture"
ONLY_PICTURE = "Its picture is that of a video of ours; nothing can be said of a sound"
