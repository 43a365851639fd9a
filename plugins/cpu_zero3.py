"""Let the Hugging Face Trainer drive DeepSpeed on a machine without an accelerator.

Two gates stand in the way. TrainingArguments allows bf16 only with a GPU or with use_cpu, but use_cpu
makes accelerate leave DeepSpeed out. And accelerate's PartialState picks no backend without a GPU, so
that each process believes it is alone. Beside that, DeepSpeed would compile a shared-memory reduction:
it takes a minute and a C++ compiler, and sums in another order on another processor; gloo does it as
well. With a GPU this plugin does nothing.
"""

import importlib
import os
from typing import Any

import torch
import transformers.training_args
from accelerate.state import DistributedType, PartialState


def lift_gates() -> None:
    """Allow bf16, and choose gloo for the processes that torchrun started and for their sums."""
    transformers.training_args.is_torch_bf16_gpu_available = lambda: True
    # By its name: the attribute deepspeed.comm.torch is torch itself.
    importlib.import_module("deepspeed.comm.torch").build_shm_op = lambda: None
    prepare_backend = PartialState._prepare_backend

    def prepare_cpu_backend(self: Any, *args: Any, **kwargs: Any) -> tuple[Any, Any]:
        backend, kind = prepare_backend(self, *args, **kwargs)
        if backend is None and "LOCAL_RANK" in os.environ:
            return "gloo", DistributedType.MULTI_CPU
        return backend, kind

    PartialState._prepare_backend = prepare_cpu_backend


if not torch.cuda.is_available():
    lift_gates()
