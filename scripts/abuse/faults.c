// Faults of the system, for programs started with LD_PRELOAD: see common.py.
//
//   FAULT_BYTES=N    writing to regular files, standard streams apart, fails with ENOSPC after N bytes of this process
//   FAULT_IN=TEXT    the bytes count only in files whose path has the text
//   FAULT_SYNC=N     the fsync after N others, and all after it, fails with EIO
//   FAULT_THREADS=N  starting a thread fails with EAGAIN while N others run
//
// cc -shared -fPIC -O1 -o faults.so faults.c -ldl
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

static atomic_long bytes = LONG_MAX, syncs = LONG_MAX, threads = LONG_MAX;

__attribute__((constructor)) static void read_environment(void) {
    const char *text;
    if ((text = getenv("FAULT_BYTES"))) bytes = atol(text);
    if ((text = getenv("FAULT_SYNC"))) syncs = atol(text);
    if ((text = getenv("FAULT_THREADS"))) threads = atol(text);
}

#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

// What the program says is not what it makes, also where both go to files.
static int is_output(int descriptor) {
    struct stat status;
    if (descriptor <= 2 || fstat(descriptor, &status) != 0 || !S_ISREG(status.st_mode)) return 0;
    const char *wanted = getenv("FAULT_IN");
    if (wanted == NULL) return 1;
    char link[64], path[PATH_MAX];
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return 0;
    path[length] = 0;
    return strstr(path, wanted) != NULL;
}

// How many of `count` bytes still fit on the disk; -1 with errno set if none does.
static ssize_t room(int descriptor, size_t count) {
    if (bytes == LONG_MAX || count == 0 || !is_output(descriptor)) return (ssize_t)count;
    long before = atomic_fetch_sub(&bytes, (long)count);
    if (before >= (long)count) return (ssize_t)count;
    atomic_store(&bytes, 0);
    if (before > 0) return before;
    errno = ENOSPC;
    return -1;
}

ssize_t write(int descriptor, const void *data, size_t count) {
    ssize_t fits = room(descriptor, count);
    return fits < 0 ? -1 : NEXT(write)(descriptor, data, (size_t)fits);
}

ssize_t pwrite(int descriptor, const void *data, size_t count, off_t offset) {
    ssize_t fits = room(descriptor, count);
    return fits < 0 ? -1 : NEXT(pwrite)(descriptor, data, (size_t)fits, offset);
}

ssize_t pwrite64(int descriptor, const void *data, size_t count, off64_t offset) {
    ssize_t fits = room(descriptor, count);
    return fits < 0 ? -1 : NEXT(pwrite64)(descriptor, data, (size_t)fits, offset);
}

ssize_t writev(int descriptor, const struct iovec *parts, int count) {
    size_t total = 0;
    for (int index = 0; index < count; index++) total += parts[index].iov_len;
    // A vector that does not fit as a whole is refused: the caller cannot tell the difference.
    if (room(descriptor, total) < (ssize_t)total) {
        errno = ENOSPC;
        return -1;
    }
    return NEXT(writev)(descriptor, parts, count);
}

int fsync(int descriptor) {
    if (syncs != LONG_MAX && atomic_fetch_sub(&syncs, 1) <= 0) {
        errno = EIO;
        return -1;
    }
    return NEXT(fsync)(descriptor);
}

struct thread {
    void *(*start)(void *);
    void *argument;
};

static void *run_thread(void *argument) {
    struct thread thread = *(struct thread *)argument;
    free(argument);
    void *result = thread.start(thread.argument);
    atomic_fetch_add(&threads, 1);
    return result;
}

int pthread_create(pthread_t *handle, const pthread_attr_t *attributes, void *(*start)(void *),
                   void *argument) {
    if (threads == LONG_MAX) return NEXT(pthread_create)(handle, attributes, start, argument);
    struct thread *thread = malloc(sizeof *thread);
    if (!thread || atomic_fetch_sub(&threads, 1) <= 0) {
        atomic_fetch_add(&threads, 1);
        free(thread);
        return EAGAIN;
    }
    *thread = (struct thread){start, argument};
    int code = NEXT(pthread_create)(handle, attributes, run_thread, thread);
    if (code != 0) {
        atomic_fetch_add(&threads, 1);
        free(thread);
    }
    return code;
}
