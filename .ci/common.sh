# shellcheck shell=bash
# What all steps share: settings, a temporary folder, clean copies of the checkout.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export PIP_DISABLE_PIP_VERSION_CHECK=1 MPLBACKEND=Agg OPENBLAS_NUM_THREADS=1

work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT

# copy FOLDER: the checkout, without what builds, tests and environments leave behind.
copy() {
    local left_out=(--exclude-vcs --exclude='*.egg-info')
    local name
    for name in __pycache__ .hypothesis .mypy_cache .pytest_cache .ruff_cache ./.venv ./build ./dist \
        ./benchmarks/results ./docs/_build ./docs/reference/api ./docs/gallery; do
        left_out+=("--exclude=$name")
    done
    mkdir -p "$1"
    tar -c "${left_out[@]}" . | tar -x -C "$1"
}

# environment FOLDER [PYTHON]: a new virtual environment.
environment() {
    "${2:-python3}" -m venv "$1"
}
