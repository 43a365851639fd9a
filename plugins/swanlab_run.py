"""Open the SwanLab run before ms-swift does, in the mode of TRACKING_MODE.

ms-swift's own `--swanlab_mode` knows cloud and local only and overrules the environment; but its
callback goes on with a run that is already open. Only the first process records. A training that goes on
after it was stopped has the same TRACKING_ID, so that SwanLab has one curve for both.
"""

import os

import swanlab

if os.environ.get("RANK", "0") == "0":
    swanlab.init(
        mode=os.environ["TRACKING_MODE"],
        log_dir=os.environ["TRACKING_FOLDER"],
        project=os.environ["TRACKING_PROJECT"],
        name=os.environ["TRACKING_NAME"],
        id=os.environ["TRACKING_ID"],
        resume="allow",
    )
