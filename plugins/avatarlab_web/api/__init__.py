"""The HTTP API under /avatarlab/api/v1: what other systems and the Studio's pages call. See docs/api.md."""
