#define _GNU_SOURCE
#include "csystem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

int csystem_rename_to_free_name(const char *path, const char *new_path) {
    return renameat2(AT_FDCWD, path, AT_FDCWD, new_path, RENAME_NOREPLACE);
}

int csystem_exchange_names(const char *path, const char *other) {
    return renameat2(AT_FDCWD, path, AT_FDCWD, other, RENAME_EXCHANGE);
}

int csystem_flush_standard_output(void) {
    if (fflush(stdout) != 0) return errno;
    // What was printed before is lost already; its reason is not kept.
    return ferror(stdout) ? EIO : 0;
}
