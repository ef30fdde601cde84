#!/usr/bin/env bash
# Builds the library between falcon and this machine's MPI: build-mpi.sh MPICC OUTPUT
set -euo pipefail
compiler=$1
output=$2
cd "$(dirname "$0")/.."

if ! command -v "$compiler" >/dev/null; then
    echo "there is no $compiler; install an MPI, the same on every host that is to take part:" >&2
    echo "    apt-get install libopenmpi-dev openmpi-bin" >&2
    echo "or  apt-get install libmpich-dev mpich" >&2
    echo "or name its compiler: make mpi MPICC=/opt/mpi/bin/mpicc" >&2
    exit 69
fi
folder=$(dirname "$output")
if [[ ! -d $folder ]]; then
    echo "there is no folder $folder; build the program first (make build)" >&2
    exit 66
fi

# Written beside its place and then renamed: a program may have the old one open.
"$compiler" -std=gnu17 -O2 -Wall -Wextra -Werror -fPIC -shared -fvisibility=hidden \
    -o "$output.new" mpi/falcon_mpi.c
mv "$output.new" "$output"

version=$("$compiler" -E -P -x c - <<'C' | tail -n 1 | sed 's/"//g; s/ *\. */./g'
#include <mpi.h>
#if defined(OMPI_MAJOR_VERSION)
"Open MPI" OMPI_MAJOR_VERSION "." OMPI_MINOR_VERSION "." OMPI_RELEASE_VERSION
#elif defined(MPICH_VERSION)
"MPICH" MPICH_VERSION
#else
"an MPI of standard" MPI_VERSION "." MPI_SUBVERSION
#endif
C
)
echo "$output: for $version ($compiler)"
