#define _GNU_SOURCE
#include "csystem.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
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

int csystem_bind(const int *processors, int count) {
    // Room for 4,096 processors, four times that of the usual set.
    const size_t room = 4096;
    cpu_set_t *set = CPU_ALLOC(room);
    if (set == NULL) return -1;
    CPU_ZERO_S(CPU_ALLOC_SIZE(room), set);
    for (int i = 0; i < count; i++) CPU_SET_S((size_t)processors[i], CPU_ALLOC_SIZE(room), set);
    int result = sched_setaffinity(0, CPU_ALLOC_SIZE(room), set);
    CPU_FREE(set);
    return result;
}
