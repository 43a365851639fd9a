"""Texts that a template or a tokenizer may stumble over, drawn with a seed."""

import random

# Pieces that mean something to ms-swift, to Python's formatting or to a BPE that splits words.
PIECES = [
    *("<image>", "<video>", "<bbox>", "<think>\n\n</think>\n\n", "<|", "|>", "</s>"),
    *("{{QUERY}}", "{{SYSTEM}}", "{{RESPONSE}}", "{}", "%s", "'s", "'LL", "1234567"),
    *(" ", "  ", "\n", "\n\n", "\t", "\r\n", "\u00a0", "\u3000", "assistant", "final", "user"),
    *("Größe", "保存", "。", "\u0301", "\u200d", "🙂", "👩\u200d💻", "ﬁ", "İ", "ß", "ا", "한글"),
]
BLOCKS = [(0x20, 0x2FF), (0x4E00, 0x9FFF), (0x1F600, 0x1FAFF)]


def random_text(drawn: random.Random) -> str:
    """Return one to twelve pieces, or characters, next to each other."""

    def piece() -> str:
        if drawn.random() < 0.6:
            return drawn.choice(PIECES)
        return chr(drawn.randrange(*drawn.choice(BLOCKS)))

    return "".join(piece() for _ in range(drawn.randint(1, 12)))
