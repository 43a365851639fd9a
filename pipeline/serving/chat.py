"""A conversation with a model before its training and after it, line by line."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from pipeline.models.system_message import EFFORTS
from pipeline.serving.ask_server import ANALYSIS, END, FINAL, RefusedRequest

Ask = Callable[[dict[str, Any]], Iterator[tuple[str, str]]]
Say = Callable[[str], None]

HELP = "/effort low|medium|high, /system TEXT (alone: none), /new (forget the conversation), /quit"


@dataclass
class Chat:
    """Asks models the same, each with its own answers so far; `say` prints a piece of text as it is."""

    ask: Ask
    say: Say
    names: list[str]
    system: str | None
    effort: str
    turns: dict[str, list[dict[str, str]]] = field(default_factory=dict)

    def take(self, line: str) -> bool:
        """Take a line of the user, a question or a command; say whether the conversation goes on."""
        command, _, rest = line.strip().partition(" ")
        if command == "/quit":
            return False
        if command.startswith("/"):
            self.say(f"{self.obey(command, rest.strip())}\n")
        elif command:
            for name in self.names:
                self.ask_model(name, line.strip())
        return True

    def obey(self, command: str, value: str) -> str:
        """Do what a command asks for, and return in a line how things are now, or the mistake."""
        if command == "/new":
            self.turns = {}
            return "a new conversation"
        if command == "/system":
            self.system, self.turns = value, {}
            return f"system: {value or 'none'}; a new conversation"
        if command == "/effort" and value in EFFORTS:
            self.effort = value
            return f"effort: {value}"
        if command == "/effort":
            return f"/effort {value}: not one of {', '.join(EFFORTS)}"
        return HELP if command == "/help" else f"{command}: no such command; there are {HELP}"

    def ask_model(self, name: str, question: str) -> None:
        """Ask a model, and print its thinking and its final as they come."""
        asked = [*self.turns.get(name, []), {"role": "user", "content": question}]
        system = [] if self.system is None else [{"role": "system", "content": self.system}]
        request = {"model": name, "messages": [*system, *asked], "reasoning_effort": self.effort, "temperature": 0}
        self.say(f"{name}: ")
        try:
            final = self.show(name, request)
        except RefusedRequest as refused:
            return self.say(f"[refused] {refused}\n")
        except ConnectionError:
            self.say(" [cut]\n")
            raise
        self.say("\n")
        self.turns[name] = [*asked, {"role": "assistant", "content": final}]

    def show(self, name: str, request: dict[str, Any]) -> str:
        """Print the answer to a request as it comes, and return its final."""
        said, last = {ANALYSIS: "", FINAL: ""}, None
        for channel, text in self.ask(request):
            if channel == END:
                self.say(" [cut]" if text == "length" else "" if said[FINAL] else "[no final]")
                continue
            if channel != last and ANALYSIS in (channel, last):
                self.say("[thinking] " if channel == ANALYSIS else f"\n{' ' * len(name)}  ")
            last = channel
            said[channel] += text
            self.say(text)
        return said[FINAL]
