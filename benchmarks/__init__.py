"""Speed and memory, each beside a peer or a physical limit measured in the same run."""
