"""The Modelfile of an exported model: how Ollama makes a model of the GGUF beside it.

Ollama does not read the Jinja template in a GGUF, and takes Go's language instead. A template of gpt-oss that has
harmony's marks has it split analysis and final, as it does for the published model.
"""

from pipeline.launch.run_swift import Prompt
from pipeline.models.system_message import INSTRUCTIONS, write_system

TURNS = """\
{{ if .System }}<|start|>developer<|message|>%(instructions)s{{ .System }}<|end|>{{ end }}\
{{ range .Messages }}\
{{ if eq .Role "user" }}<|start|>user<|message|>{{ .Content }}<|end|>\
{{ else if eq .Role "assistant" }}<|start|>assistant<|channel|>final<|message|>{{ .Content }}<|end|>{{ end }}\
{{ end }}<|start|>assistant"""


def write_modelfile(file: str, prompt: Prompt) -> str:
    """Return the text of a Modelfile for a GGUF beside it.

    The date is that of `prompt`, and so is the effort where a caller names none.
    """
    effort = f"{{{{ if .ThinkLevel }}}}{{{{ .ThinkLevel }}}}{{{{ else }}}}{prompt['reasoning_effort']}{{{{ end }}}}"
    before = f"<|start|>system<|message|>{write_system(prompt['date'], effort)}<|end|>"
    turns = TURNS % {"instructions": INSTRUCTIONS}
    return f'# ollama create NAME -f Modelfile\nFROM ./{file}\nTEMPLATE """{before}{turns}"""\n'
