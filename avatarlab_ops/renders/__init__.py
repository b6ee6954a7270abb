"""A render: what is known of it, what it costs, how it ends, is taken back, and what people think of it."""
