#define _GNU_SOURCE
#include "fk_pool.h"

#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

// A job is one generation. `ticket` holds the generation in its upper half and the next unclaimed
// piece in its lower half, so a claim (compare and swap) succeeds only for the current job: a worker
// that wakes late finds another generation or no piece left, and the caller never waits for it.
// While the caller describes the next job, `ticket` holds no_piece: a worker that read the last
// ticket of the old job together with the count of the new one must not be able to claim.
struct fk_pool {
    _Alignas(64) _Atomic uint64_t ticket;
    _Alignas(64) _Atomic uint32_t completed;
    _Alignas(64) _Atomic uint32_t generation;  // futex word the workers sleep on
    _Atomic uint32_t sleepers;
    _Atomic uint32_t callerSleeps;
    _Alignas(64) _Atomic uint32_t count;
    _Atomic(fk_piece) body;
    _Atomic(void *) context;
    _Atomic int stopping;
    size_t threads;
    pthread_t *handles;
};

struct worker_start {
    fk_pool *pool;
    size_t index;
};

// About 20 microseconds: longer than from one job of a step to the next, short where another program
// holds the core of a worker, which the system moves once this thread sleeps.
enum { spins_before_sleep = 1000 };

static const uint32_t no_piece = UINT32_MAX;

static void futex_wait(_Atomic uint32_t *word, uint32_t expected) {
    syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, expected, NULL, NULL, 0);
}

static void futex_wake(_Atomic uint32_t *word, int count) {
    syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, count, NULL, NULL, 0);
}

static inline void pause_briefly(void) {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
}

// Claims and runs pieces of one generation until none is left.
static void work(fk_pool *pool, uint32_t generation, size_t worker) {
    for (;;) {
        uint64_t ticket = atomic_load_explicit(&pool->ticket, memory_order_acquire);
        uint32_t piece = (uint32_t)ticket;
        uint32_t count = atomic_load_explicit(&pool->count, memory_order_acquire);
        if ((uint32_t)(ticket >> 32) != generation || piece >= count) return;
        fk_piece body = atomic_load_explicit(&pool->body, memory_order_acquire);
        void *context = atomic_load_explicit(&pool->context, memory_order_acquire);
        if (!atomic_compare_exchange_weak_explicit(&pool->ticket, &ticket, ticket + 1, memory_order_acq_rel,
                                                   memory_order_relaxed))
            continue;
        body(context, piece, worker);
        uint32_t done = atomic_fetch_add(&pool->completed, 1) + 1;
        if (done == count && atomic_load(&pool->callerSleeps)) futex_wake(&pool->completed, 1);
    }
}

static void *worker_main(void *argument) {
    struct worker_start start = *(struct worker_start *)argument;
    free(argument);
    fk_pool *pool = start.pool;
    uint32_t seen = 0;
    for (;;) {
        uint32_t now = seen;
        for (int spin = 0; spin < spins_before_sleep; spin++) {
            now = atomic_load_explicit(&pool->generation, memory_order_acquire);
            if (now != seen) break;
            pause_briefly();
        }
        while (now == seen) {
            atomic_fetch_add(&pool->sleepers, 1);
            futex_wait(&pool->generation, seen);
            atomic_fetch_sub(&pool->sleepers, 1);
            now = atomic_load_explicit(&pool->generation, memory_order_acquire);
        }
        seen = now;
        if (atomic_load(&pool->stopping)) return NULL;
        work(pool, seen, start.index);
    }
}

fk_pool *fk_pool_create(size_t threads) {
    if (threads < 1) threads = 1;
    fk_pool *pool = aligned_alloc(64, sizeof(fk_pool));
    if (!pool) return NULL;
    *pool = (fk_pool){.threads = 1};
    pool->handles = calloc(threads, sizeof(pthread_t));
    if (!pool->handles) {
        free(pool);
        return NULL;
    }
    for (size_t index = 1; index < threads; index++) {
        struct worker_start *start = malloc(sizeof *start);
        if (start) *start = (struct worker_start){pool, index};
        if (!start || pthread_create(&pool->handles[index], NULL, worker_main, start) != 0) {
            // Fewer threads do the same pieces.
            free(start);
            break;
        }
        pool->threads = index + 1;
    }
    return pool;
}

size_t fk_pool_threads(const fk_pool *pool) { return pool->threads; }

static uint32_t next_generation(fk_pool *pool) {
    return atomic_load_explicit(&pool->generation, memory_order_relaxed) + 1;
}

static void announce(fk_pool *pool, uint32_t generation) {
    atomic_store(&pool->generation, generation);
    if (atomic_load(&pool->sleepers)) futex_wake(&pool->generation, INT_MAX);
}

void fk_pool_destroy(fk_pool *pool) {
    if (!pool) return;
    atomic_store(&pool->stopping, 1);
    announce(pool, next_generation(pool));
    for (size_t index = 1; index < pool->threads; index++) pthread_join(pool->handles[index], NULL);
    free(pool->handles);
    free(pool);
}

void fk_pool_run(fk_pool *pool, size_t count, fk_piece body, void *context) {
    if (count == 0) return;
    if (count == 1 || pool->threads == 1) {
        for (size_t piece = 0; piece < count; piece++) body(context, piece, 0);
        return;
    }
    uint32_t generation = next_generation(pool);
    // No worker holds a piece here: the previous run returned only after all were completed.
    atomic_store(&pool->ticket, (uint64_t)generation << 32 | no_piece);
    atomic_store(&pool->completed, 0);
    atomic_store(&pool->count, (uint32_t)count);
    atomic_store(&pool->body, body);
    atomic_store(&pool->context, context);
    atomic_store(&pool->ticket, (uint64_t)generation << 32);
    announce(pool, generation);
    work(pool, generation, 0);
    for (int spin = 0; spin < spins_before_sleep; spin++) {
        if (atomic_load_explicit(&pool->completed, memory_order_acquire) == count) return;
        pause_briefly();
    }
    atomic_store(&pool->callerSleeps, 1);
    for (;;) {
        uint32_t done = atomic_load(&pool->completed);
        if (done == count) break;
        futex_wait(&pool->completed, done);
    }
    atomic_store(&pool->callerSleeps, 0);
}
