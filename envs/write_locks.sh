#!/bin/sh
# Write envs/*.lock and envs/*.yaml from envs/*.in: every version, with hashes, for Python 3.11 to 3.13. Only the
# environments of rules, workflow, training and vllm, have a .yaml.
# Needs uv and the network. Versions in a lock stay unless an .in file asks for others; delete a lock to move all.
set -eu
cd "$(dirname "$0")/.."

# Installed with torch, in the build that fits the machine's GPU, or not at all.
gpu="torch triton cuda-bindings cuda-pathfinder cuda-toolkit nvidia-cublas nvidia-cuda-cupti nvidia-cuda-nvrtc
     nvidia-cuda-runtime nvidia-cudnn-cu13 nvidia-cufft nvidia-cufile nvidia-curand nvidia-cusolver nvidia-cusparse
     nvidia-cusparselt-cu13 nvidia-nccl-cu13 nvidia-nvjitlink nvidia-nvshmem-cu13 nvidia-nvtx"

write_lock() { # write_lock NAME [OPTION…]
    name=$1
    shift
    uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate \
        --custom-compile-command envs/write_locks.sh "$@" "envs/$name.in" --output-file "envs/$name.lock"
}

for name in build workflow training fidelity provenance engines kubernetes mutants; do
    write_lock "$name" $(printf -- '--no-emit-package %s ' $gpu)
done
# The tests run beside the packages of the workflow environment.
write_lock tests --constraint envs/workflow.lock \
    $(sed -n 's/^\([a-z0-9][a-z0-9._-]*\)==.*/--no-emit-package \1/p' envs/workflow.lock)
write_lock serving --no-deps
# vLLM is built for one torch and one CUDA, which are locked like the rest. Where it leaves a choice, the training's.
[ -f envs/vllm.lock ] || cp envs/training.lock envs/vllm.lock
write_lock vllm
python -m tools.write_conda_envs
