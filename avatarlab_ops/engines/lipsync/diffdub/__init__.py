"""DiffDub (Liu et al., ICASSP 2024, arXiv 2311.01811): a diffusion autoencoder that repaints the lower face.

Stage 2 turns audio into one latent a frame; stage 1 paints the mouth that a latent describes.
"""
