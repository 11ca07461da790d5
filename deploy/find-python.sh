#!/bin/sh
# Prints the newest Python >= 3.12 that runs here, also one that sits unused under pyenv.
# A name on PATH may be a shim that does not run, so each candidate is asked.
set -u
fits() {
    "$1" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 12))' >/dev/null 2>&1
}
for name in "${PYTHON:-}" python3.14 python3.13 python3.12 python3; do
    [ -n "$name" ] && path=$(command -v "$name" 2>/dev/null) && fits "$path" && echo "$path" && exit 0
done
for path in $(ls -d "${PYENV_ROOT:-${HOME:-}/.pyenv}"/versions/3.1[2-9]*/bin/python3 2>/dev/null | sort -Vr); do
    fits "$path" && echo "$path" && exit 0
done
echo "TradeOps needs Python 3.12 or newer with its venv module, and none was found (PATH and pyenv were searched); install one, or name it: make run PYTHON=/path/to/python3" >&2
exit 1
