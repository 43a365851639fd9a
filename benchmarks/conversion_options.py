"""The settings of the conversions that are measured: those of config.yaml, for pairs that are not translations."""

import json

from pipeline.settings.check import load_config
from pipeline.settings.reads import part_for

DATA = part_for("convert_preferences", load_config([]))["data"] | {"languages": None}
OPTIONS = ["--settings", json.dumps({"data": DATA})]
