#!/usr/bin/env bash
# Resolves pyproject.toml afresh in a throw-away environment and writes the exact versions to constraints.txt.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

python3 -m venv "$scratch/venv"
"$scratch/venv/bin/pip" install --quiet --only-binary :all: -e '.[local,dev]'
{
  echo '# Exact versions that `make setup` installs; the ranges are in pyproject.toml. Renewed by `make constraints`.'
  "$scratch/venv/bin/pip" freeze --exclude-editable
} >"$scratch/constraints.txt"
mv "$scratch/constraints.txt" constraints.txt
