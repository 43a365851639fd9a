"""The lengths that a row of packed pairs can have."""

# Of flex attention's masks; a row has a whole number of blocks.
BLOCK = 128


def row_length(tokens: int) -> int:
    """Return the length of a row of so many tokens: one of few, since kernels are compiled for each, 1/8 apart."""
    step = max(BLOCK, 1 << max(tokens.bit_length() - 4, 0))
    return -(-tokens // step) * step
