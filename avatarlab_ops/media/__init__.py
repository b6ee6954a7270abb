"""Pictures and sound: probing, footage, finished videos, captions, compositing. Streams; knows no engine."""
