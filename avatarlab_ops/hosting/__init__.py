"""What an installation costs by the way it is hosted, and what limits it: from its own measured rates."""
