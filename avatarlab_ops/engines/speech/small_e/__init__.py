"""Small-E (Lemerle et al., Interspeech 2024, arXiv 2406.04467) and its successor Lina-Speech (2410.23320).

One language model over audio tokens with switches for both, and the two decoders that turn tokens into sound.
"""
