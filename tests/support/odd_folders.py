"""Names of folders with signs that a shell, a format or a language reads as its own."""

ODD_FOLDERS = (
    "plain",
    "with a space",
    "it's here",
    'the "new" one',
    """it's "both" of them""",
    "100% of $HOME",
    "back\\slash",
    "c++ (new) [1] {run} #2",
    "数据 ñ",
)
