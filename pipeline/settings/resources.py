"""The processes of a training, and the resources that it reserves from Snakemake and its Slurm plugin."""

from typing import Any


def count_processes(train: dict[str, Any]) -> int:
    """Return how many processes train together under these settings (`train:` of config.yaml), on all machines."""
    return int(train["nodes"] * (train["gpus"] or train["cpu_processes"]))


def training_resources(train: dict[str, Any]) -> dict[str, Any]:
    """Return the resources of a training under these settings.

    On one machine: `gpu`, which profiles/default lends out, with the model that a cluster is asked for, and all on one
    node, or Slurm would take them where it finds them. On several: as many on each, and one task a node, which the
    job itself starts by the command in `mpi`.
    """
    nodes, gpus, model = train["nodes"], train["gpus"], train["gpu_model"]
    if nodes == 1:
        return {"gpu": gpus} | ({"gpu_model": model, "nodes": 1} if gpus else {})
    several = {"nodes": nodes, "tasks": nodes, "mpi": "srun", "tasks_per_gpu": 0}
    return several | ({"gres": f"gpu:{model}:{gpus}"} if gpus else {})
