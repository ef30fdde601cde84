#!/usr/bin/env bash
# Installs what the build needs, and nothing that is there already.
#
#   scripts/setup.sh          what `make build` and `make test` need
#   scripts/setup.sh demo     also what `make demo` needs: pip, unzip
#   scripts/setup.sh lint     also what `make lint` and `make format` need: clang-format
#
# Runs as root or with sudo, on Debian 12. Swift itself is not installed.
set -euo pipefail

# Headers and libraries that falcon is linked with.
packages=(libsentencepiece-dev libzstd-dev zlib1g-dev libbz2-dev liblzma-dev libsnappy-dev liblz4-dev libbrotli-dev
    libssl-dev libsqlite3-dev)
# What the Swift toolchain needs of a bare system: a C library, a linker's helpers, its own libraries.
packages+=(binutils libc6-dev libstdc++-12-dev libcurl4 libncurses6 libxml2 tzdata
    ca-certificates)
# Programs, as "command package".
programs=("git git" "make make" "pkg-config pkg-config" "zstd zstd" "bzip2 bzip2" "xz xz-utils")

wanted=${1:-build}
case $wanted in
    build) ;;
    demo) programs+=("python3 python3" "unzip unzip") ;;
    lint) programs+=("clang-format-14 clang-format-14") ;;
    *)
        echo "setup: got \"$wanted\", want nothing, \"demo\" or \"lint\"" >&2
        exit 64
        ;;
esac

missing=()
for program in "${programs[@]}"; do
    read -r command package <<<"$program"
    command -v "$command" >/dev/null || missing+=("$package")
done
if [[ $wanted == demo ]] && ! python3 -c 'import pip' 2>/dev/null; then
    missing+=(python3-pip)
fi

if command -v dpkg-query >/dev/null; then
    # A package that dpkg has never heard of is missing too, and makes dpkg-query exit with 1.
    installed=$(dpkg-query -W -f '${db:Status-Status} ${binary:Package}\n' "${packages[@]}" \
        2>/dev/null | sed -n 's/^installed \([^:]*\).*/\1/p' || true)
    for package in "${packages[@]}"; do
        grep -qxF "$package" <<<"$installed" || missing+=("$package")
    done
elif ! pkg-config --exists sentencepiece libzstd zlib liblzma snappy liblz4 libbrotlidec libcrypto sqlite3 \
    2>/dev/null; then
    echo "setup: this is not Debian, so nothing is installed; wanted for pkg-config:" \
        "sentencepiece, libzstd, zlib, liblzma, snappy, liblz4, libbrotlidec, libcrypto, sqlite3, and libbz2" >&2
    exit 69
fi

if ((${#missing[@]} > 0)); then
    echo "setup: installing ${missing[*]}" >&2
    as_root=()
    if ((EUID != 0)); then
        command -v sudo >/dev/null || {
            echo "setup: neither root nor sudo; as root: apt-get install ${missing[*]}" >&2
            exit 77
        }
        as_root=(sudo)
    fi
    export DEBIAN_FRONTEND=noninteractive
    "${as_root[@]}" apt-get update -qq
    "${as_root[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
else
    echo "setup: everything is installed" >&2
fi

command -v swift >/dev/null || {
    echo "setup: swift is not in the PATH; falcon needs Swift 6.2 or newer: install it from" \
        "https://www.swift.org/install/linux and put its usr/bin into the PATH" >&2
    exit 69
}
version=$(swift --version 2>/dev/null | sed -n 's/.*Swift version \([0-9]*\.[0-9]*\).*/\1/p' | head -n 1)
if [[ $(printf '%s\n6.2\n' "${version:-0}" | sort -V | head -n 1) != 6.2 ]]; then
    echo "setup: got Swift ${version:-of unknown version}, want 6.2 or newer" >&2
    exit 69
fi
