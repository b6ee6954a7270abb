"""The leading face of a clip: detection, 478 landmarks, tracking, admission."""

from avatarlab_ops.engines.face.admission import FaceCheck, check_face, look_at
from avatarlab_ops.engines.face.landmarker import Face, Landmarker
from avatarlab_ops.engines.face.track import track_faces
from avatarlab_ops.engines.face.track_file import load_track, save_track


class FaceTracker:
    """FaceEngine on MediaPipe's face mesh: `track_faces`."""

    track = staticmethod(track_faces)


__all__ = [
    "Face",
    "FaceCheck",
    "FaceTracker",
    "Landmarker",
    "check_face",
    "load_track",
    "look_at",
    "save_track",
    "track_faces",
]
