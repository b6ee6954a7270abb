"""`python -m avatarlab_ops.cli`."""

from avatarlab_ops.cli import main

main()
