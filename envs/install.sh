#!/bin/sh
# Install an environment, exactly as its lock says:
#     envs/install.sh workflow .venv
#     envs/install.sh training .venv-training
#     envs/install.sh tests .venv-tests            # for make test and make check; sees the packages of .venv
#     envs/install.sh fidelity .venv-fidelity      # for make test-nightly alone
#     envs/install.sh provenance .venv-provenance  # for make test-ci alone
#     envs/install.sh mutants .venv-mutants        # for make test-nightly alone
#     envs/install.sh serving .venv-serving        # for export.gguf, and to serve a GGUF: llama.cpp and its converter
#     envs/install.sh vllm .venv-vllm              # for infer.backend: vllm, on machines with NVIDIA GPUs
#     envs/install.sh engines .venv-engines        # Snakemake with plugins for batch systems (docs/engines.md)
#     envs/install.sh kubernetes .venv-kubernetes
# A folder that is there and fits its lock is left alone. Nothing is resolved: every package is in the lock.
#
# torch comes in the build that pip finds for this machine. On a machine without an NVIDIA GPU the CPU build
# saves gigabytes: TORCH_INDEX=https://download.pytorch.org/whl/cpu make setup
set -eu
cd "$(dirname "$0")/.."
name=$1
folder=$2
python=${PYTHON:-python3}
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore PIP_QUIET=1 DS_BUILD_OPS=0

"$python" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' || {
    echo "$python is $("$python" --version 2>&1), but 3.11, 3.12 or 3.13 is needed; run: make setup PYTHON=python3.11" >&2
    exit 1
}
stamp="$folder/installed.sha256"
if [ -f "$stamp" ] && sha256sum --check --status "$stamp"; then
    exit 0
fi

echo "Installing the $name environment into $folder (envs/$name.lock)"
"$python" -m venv --clear "$folder"
install() { "$folder/bin/python" -m pip install "$@"; }
install --no-deps --require-hashes -r envs/build.lock
# torch first: what it brings along unpinned, the lock then sets to its own versions.
if torch=$(grep '^torch==' "envs/$name.in"); then
    echo "Installing $torch"
    [ -z "${TORCH_INDEX:-}" ] && command -v nvidia-smi >/dev/null || echo \
        "(no NVIDIA GPU here: if this fetches CUDA packages, see TORCH_INDEX in envs/install.sh)"
    install ${TORCH_INDEX:+--index-url "$TORCH_INDEX"} "$torch"
fi
install --no-deps --require-hashes --no-build-isolation -r "envs/$name.lock"
# What tests run in is the workflow environment, and more.
if [ "$name" = tests ]; then
    site=$("$folder/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
    echo "$site" | sed "s,/$(basename "$folder")/,/.venv/," > "$site/workflow.pth"
fi
sha256sum envs/build.lock "envs/$name.lock" "envs/$name.in" > "$stamp"
echo "The $name environment is ready: $(du -sh "$folder" | cut -f1)"
