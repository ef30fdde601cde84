// A small thread pool: fork, claim pieces one by one, join.
#ifndef FK_POOL_H
#define FK_POOL_H

#include <stddef.h>

typedef struct fk_pool fk_pool;

// One piece of work. `worker` is below the pool's thread count and names whose scratch to use.
typedef void (*fk_piece)(void *context, size_t piece, size_t worker);

// Starts threads - 1 workers (the caller is worker 0), or fewer if the system gives fewer. NULL when
// memory is lacking.
fk_pool *fk_pool_create(size_t threads);

// Threads that take pieces, the caller included.
size_t fk_pool_threads(const fk_pool *pool);

// Ends and joins the workers.
void fk_pool_destroy(fk_pool *pool);

// Runs pieces 0..<count and returns when all are done. Never call it from inside a piece.
void fk_pool_run(fk_pool *pool, size_t count, fk_piece body, void *context);

#endif
