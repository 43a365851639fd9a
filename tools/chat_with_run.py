"""Talk to a run's model in a terminal: before DPO and after it, one below the other, as they write.

    envs/with-training python -m tools.chat_with_run --run tiny

One server has both, the tuned one as the adapter on the other: tools/serve_run.py. It listens on a free port of this
machine with a key of its own, and ends with this program. Answers are greedy: they differ by the
training alone.
"""

import os
import secrets
import subprocess
import sys
from functools import partial
from pathlib import Path

from pipeline.serving.address import KEY_VARIABLE
from pipeline.serving.ask_server import stream_answer
from pipeline.serving.chat import HELP, Chat
from pipeline.serving.served_run import ServedRun, find_run
from pipeline.settings.stage import stage_parser

COMMAND = (sys.executable, "-m", "tools.serve_run", "--with-base", "--end-with-parent", "--port", "0")


def talk(served: ServedRun, address: str, key: str) -> None:
    """Read lines until the end of the input or /quit, and print the answers."""
    say = partial(print, end="", flush=True)
    chat = Chat(
        partial(stream_answer, address, key), say, served.names, served.system, served.prompt["reasoning_effort"]
    )
    say(f"base is {served.folder}, tuned is that with {served.adapter}. A question, or {HELP}\n")
    say(f"system: {served.system or 'none'}; effort: {chat.effort}; for example: {served.question}\n")
    while True:
        say("\n> ")
        line = sys.stdin.readline()
        if not sys.stdin.isatty():
            say(line or "\n")
        if any("\ud800" <= sign <= "\udfff" for sign in line):
            say("not UTF-8: the line was not asked\n")
        elif not line or not chat.take(line):
            return


def main(argv: list[str] | None = None) -> None:
    parser = stage_parser(__doc__, settings=False)
    parser.add_argument("--results", type=Path, default=Path("results"))
    parser.add_argument("--run", required=True, help="name of the run")
    args = parser.parse_args(argv)
    served, key = find_run(args.results, args.run, with_base=True), secrets.token_hex()
    server = subprocess.Popen(
        [*COMMAND, "--results", str(args.results), "--run", args.run],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,  # Ctrl-C is for this program alone
        env=os.environ | {KEY_VARIABLE: key},
    )
    try:
        assert server.stdout
        address = None
        for line in server.stdout:
            if line.startswith("Serving "):
                address = line.partition(" at ")[2].partition(",")[0]
                break
            print(line, end="", flush=True)
        if address is None:
            sys.exit(server.wait() or 1)
        talk(served, address, key)
    except ConnectionError as error:
        sys.exit(f"the server of {args.run}: {error}")
    except KeyboardInterrupt:
        print("\nstopped by you")
    finally:
        server.kill()
        server.wait()


if __name__ == "__main__":
    main()
