"""How ms-swift is started: command, GPUs, nodes."""
