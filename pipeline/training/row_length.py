"""The lengths that a row of packed pairs can have."""

# Of flex attention's masks; a row has a whole number of blocks.
BLOCK = 128


def row_length(tokens: int) -> int:
    """Round a token count up to one of a few lengths, about 1/8 apart, because each length compiles its own kernels."""
    step = max(BLOCK, 1 << max(tokens.bit_length() - 4, 0))
    return -(-tokens // step) * step
