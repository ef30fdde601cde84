// Hashes of texts.
#ifndef FK_MINHASH_H
#define FK_MINHASH_H

#include "fk_common.h"

// Hash functions of 64-bit keys: x -> factor * x + offset modulo 2^64; factors are odd.
typedef struct fk_hash_functions {
    const uint64_t *factors, *offsets;  // [count]
    size_t count;
} fk_hash_functions;

// minima [functions.count]: each lowered to its function's smallest signed value over keys [keyCount]
void fk_minhash(int64_t *minima, const uint64_t *keys, size_t keyCount, fk_hash_functions functions);

#endif
