"""What a file can turn out to be, and the sentence that says so."""

from typing import Literal

Verdict = Literal["published", "unchanged", "changed", "claimed", "recognised", "marked", "foreign"]
SENTENCES: dict[Verdict, str] = {
    "published": "This is a file that was published, byte for byte",
    "unchanged": "What was signed is unchanged, but the file is not the published one byte for byte",
    "changed": "It was made here and changed after it was signed",
    "claimed": "It names a video of ours, but our certificate did not sign it: do not believe it",
    "recognised": "Its sound is that of a video of ours; what else it shows, nothing vouches for",
    "marked": "Its speech carries the mark that this system sets, but is that of no video known here",
    "foreign": "It is not known here",
}
