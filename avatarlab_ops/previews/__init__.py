"""A look at a video before it is made: its first frame, or its first sentence, in seconds and kept nowhere.

`desk` takes requests and hands them, one at a time, to a process of its own (`worker`), in which `scene` runs
the stages of a render in one folder.
"""
