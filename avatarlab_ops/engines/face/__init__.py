"""The leading face of a clip: detection, 478 landmarks, tracking, admission."""

from avatarlab_ops.engines.face.admission import FaceCheck, check_face
from avatarlab_ops.engines.face.landmarker import Face, Landmarker
from avatarlab_ops.engines.face.track import track_faces
from avatarlab_ops.engines.face.track_file import load_track, save_track

__all__ = ["Face", "FaceCheck", "Landmarker", "check_face", "load_track", "save_track", "track_faces"]
