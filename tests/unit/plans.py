"""A plan as admission would make it, without stores."""

from __future__ import annotations

from typing import Any

from avatarlab_ops.plan import Engines, Look, Plan, Source, Spoken, footage_spec, picture
from avatarlab_ops.request import AvatarRequest


def a_plan(**change: Any) -> Plan:
    """Of a request for "Hi." by a clip, with these fields changed."""
    asked = AvatarRequest.parse({"script": "Hi.", "avatar": {"uri": "s3://inputs/a.mp4"}} | change)
    avatar = Source(uri=asked.avatar.uri, sha256="a" * 64, bytes=9, kind="video", width=1280, height=720)
    shape = picture(asked.output, asked.background, avatar.width, avatar.height)
    return Plan(
        script=(Spoken(text=str(asked.script), pause_s=0.3),),
        language=asked.language or "en-US",
        voice="heart",
        avatar=avatar,
        backdrop=None,
        background=asked.background,
        picture=shape,
        footage=footage_spec(shape, avatar, Look(face_px=300.0, from_s=asked.avatar.start_s or 0.0)),
        captions=asked.captions,
        engines=Engines(speech="hibari", lipsync=asked.engines.lipsync, matting=asked.engines.matting),
        motion=asked.motion,
        seed=asked.seed,
    )
