"""Serve the tuned model of a run to OpenAI's clients, by ms-swift's `swift deploy`, until Ctrl-C.

    envs/with-training python -m tools.serve_run --run tiny --port 8000

It takes a free GPU of this machine, else the CPU, and listens on this machine alone. Prompts are those of the training:
its date, its effort, and its system message where all held-out prompts have one and a request has none.
"""

import ctypes
import os
import signal
import sys
from pathlib import Path
from typing import NoReturn

from pipeline.launch.claim_gpus import claim_gpus, list_gpus
from pipeline.launch.run_swift import NOT_PASSED_ON, swift_environment
from pipeline.serving.address import LOOPBACK, TUNED, listen, read_port, require_key, write_address, write_curl
from pipeline.serving.served_run import find_run
from pipeline.settings.stage import stage_parser

PR_SET_PDEATHSIG = 1  # linux/prctl.h
# ms-swift says that it runs code of the model's folder also where plugins/no_remote_code.py forbids that.
QUIET = {"LOG_LEVEL": "ERROR", "TRANSFORMERS_VERBOSITY": "error", "HF_HUB_DISABLE_PROGRESS_BARS": "1"}


def end() -> NoReturn:
    """End at once: an answer that is being written would keep the process until it is whole."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


def main(argv: list[str] | None = None) -> None:
    parser = stage_parser(__doc__, settings=False)
    parser.add_argument("--results", type=Path, default=Path("results"))
    parser.add_argument("--run", required=True, help="name of the run")
    parser.add_argument("--host", default=LOOPBACK, help="another address lets others in, with a key: SERVE_API_KEY")
    parser.add_argument("--port", default="8000")
    parser.add_argument("--with-base", action="store_true", help="the model before DPO too: base beside tuned")
    parser.add_argument("--end-with-parent", action="store_true", help="end when the process that started it ends")
    args = parser.parse_args(argv)
    if args.end_with_parent:
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    port = read_port(args.port)
    served = find_run(args.results, args.run, args.with_base)
    listening = listen(args.host, port)
    key, address = require_key(listening), write_address(listening)
    try:
        claim_gpus(min(1, len(list_gpus())), "tools.serve_run")
        for name in NOT_PASSED_ON:
            os.environ.pop(name, None)
        os.environ.update(swift_environment(served.prompt, 0, QUIET))
        print(f"Loading {served.folder} …", flush=True)
        from pipeline.serving.openai_server import serve  # ms-swift reads the environment when it is imported

        ready = f"Serving {' and '.join(served.names)} at {address}, until Ctrl-C. Ask it:\n"
        asked = {"model": TUNED, "messages": [{"role": "user", "content": served.question}]}
        ready += write_curl(address, asked, with_key=bool(key))
        serve(served, key, listening, ready)
    except KeyboardInterrupt:
        print("\nstopped by you")
    end()


if __name__ == "__main__":
    main()
