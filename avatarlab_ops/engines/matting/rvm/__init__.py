"""RobustVideoMatting (Lin et al., WACV 2022, arXiv 2108.11515): frames in, foreground and alpha out."""
