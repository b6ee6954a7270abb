"""Pictures and sound: probing, footage, finished videos, captions, compositing.

It streams; it knows no engine and no store, and of a request only the kinds of background and of containers.
"""
