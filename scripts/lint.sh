#!/usr/bin/env bash
# Ruff, mypy --strict and the import layers. Every check runs; the exit status tells whether one of them failed.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
readonly bin=.venv/bin
failed=0

step() {
  local name=$1
  shift
  printf '==> %s\n' "$name"
  "$@" || failed=1
}

step 'ruff check' "$bin/ruff" check --quiet --output-format concise .
step 'ruff format' "$bin/ruff" format --check --quiet --output-format concise .

typed=(dalston operator/dalston_operator gateway/dalston_gateway scripts conftest.py tests/*.py)
[[ -d bench ]] && typed+=(bench)
step 'mypy' "$bin/mypy" "${typed[@]}"

# Engines are scripts in folders whose names are no package names: each is checked on its own, as it runs on its own.
for engine in engines/*/*/; do
  compgen -G "$engine*.py" >/dev/null || continue
  step "mypy ${engine%/}" "$bin/mypy" "$engine"*.py
done

step 'import layers' "$bin/lint-imports" --no-logo --cache-dir .import_linter_cache
exit "$failed"
