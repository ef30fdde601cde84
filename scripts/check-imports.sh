#!/usr/bin/env bash
# Compares what the files of every Swift target import with what Package.swift lists for it, both ways.
set -euo pipefail
cd "$(dirname "$0")/.."

# What comes with Swift and the system is not listed.
always='^(Swift|Glibc|Foundation|FoundationEssentials|FoundationXML|Testing)$'

# Lines "TARGET =FOLDER" and "TARGET MODULE". A program is run, not imported; Yams is imported for its C parser.
# The package in scripts/fuzz imports what the product FalconFiles lists.
listed=$(swift package describe | awk '
    /^    Name:/ { target = $2; isSwift = target == "FalconFiles" }
    /^    Name: FalconFiles/ { print target, "=scripts/fuzz/Sources" }
    /^    Module type:/ { isSwift = $3 == "SwiftTarget" }
    /^    Path:/ && isSwift { print target, "=" $2 }
    /^    [A-Z]/ { isDependency = $1 == "Targets:" || $2 == "dependencies:" }
    /^        / && isDependency && isSwift && $1 != "falcon-cli" { print target, $1 == "Yams" ? "CYaml" : $1 }
')
imported=$(sed -n 's/ =/ /p' <<<"$listed" | while read -r target folder; do
    { grep -rhoE --include='*.swift' '^ *(@[^ ]+ )*import [A-Za-z0-9]+' "$folder" || true; } \
        | awk -v target="$target" -v always="$always" '$NF !~ always { print target, $NF }'
done | sort -u)

bad=$(diff <(grep -v ' =' <<<"$listed" | sort -u) <(echo "$imported") \
    | sed -n 's/^< \(.*\) \(.*\)/\1: Package.swift lists \2, which no file imports/p
              s/^> \(.*\) \(.*\)/\1: imports \2, which Package.swift does not list/p') || true
if [[ -n $bad ]]; then
    echo "$bad" >&2
    exit 1
fi
