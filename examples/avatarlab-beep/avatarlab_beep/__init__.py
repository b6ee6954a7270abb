"""The entry: all that Avatarlab must know without loading the engine. Nothing heavy is imported here."""

from avatarlab_ops.engines.info import SpeechInfo, Voice

ENGINES = SpeechInfo(
    name="beep",
    factory="avatarlab_beep.engine:Beep",
    version="1",
    languages=("qbp",),  # for private use in ISO 639
    voices=(Voice("tone", subject="nobody: a sine wave of 440 Hz", terms="Public domain: any use."),),
    scripts=("Latin",),
    learned=False,
    notes="One beep a word.",
)
