"""Fonts of a machine: one that takes the name of another, for what must not be drawn with it."""

import sys
from pathlib import Path

from tests.support.project import run_command

CONFIG = '<?xml version="1.0"?><!DOCTYPE fontconfig SYSTEM "fonts.dtd"><fontconfig><dir>{}</dir></fontconfig>'
# Only the training environment has fonts and fontTools, with matplotlib.
RENAME = """
import sys
from matplotlib import get_data_path
from fontTools.ttLib import TTFont
name, file = sys.argv[1:]
font = TTFont(f"{get_data_path()}/fonts/ttf/DejaVuSerif.ttf")
for record in font["name"].names:
    if record.nameID in (1, 4, 6, 16):
        record.string = name
font.save(file)
"""


def install_font(name: str, folder: Path) -> dict[str, str]:
    """Put a serif font of this name into a folder; return the variables of a machine that has it, and no other."""
    file, config = folder / "font.ttf", folder / "fonts.conf"
    done = run_command("envs/with-training", "python", "-c", RENAME, name, str(file))
    assert done.returncode == 0, done.stderr
    config.write_text(CONFIG.format(folder), encoding="utf-8")
    return {"FONTCONFIG_FILE": str(config)}


def run_python(code: str, *words: str, **variables: str) -> str:
    """Run a program of Python in a process of its own; return its output."""
    done = run_command(sys.executable, "-c", code, *words, **variables)
    assert done.returncode == 0, done.stderr
    return done.stdout
