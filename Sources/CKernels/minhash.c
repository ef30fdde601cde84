#include "fk_minhash.h"

FK_INLINE int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }

// Four keys share the loads of a function.
FK_INLINE void lower_four(int64_t *restrict minima, const uint64_t *restrict keys,
                          const uint64_t *restrict factors, const uint64_t *restrict offsets, size_t n) {
    uint64_t x0 = keys[0], x1 = keys[1], x2 = keys[2], x3 = keys[3];
    for (size_t i = 0; i < n; i++) {
        uint64_t a = factors[i], b = offsets[i];
        int64_t first = smaller((int64_t)(a * x0 + b), (int64_t)(a * x1 + b));
        int64_t second = smaller((int64_t)(a * x2 + b), (int64_t)(a * x3 + b));
        minima[i] = smaller(minima[i], smaller(first, second));
    }
}

FK_INLINE void lower_one(int64_t *restrict minima, uint64_t x, const uint64_t *restrict factors,
                         const uint64_t *restrict offsets, size_t n) {
    for (size_t i = 0; i < n; i++) minima[i] = smaller(minima[i], (int64_t)(factors[i] * x + offsets[i]));
}

FK_KERNEL void fk_minhash(int64_t *minima, const uint64_t *keys, size_t keyCount,
                          fk_hash_functions functions) {
    size_t k = 0;
    for (; k + 4 <= keyCount; k += 4)
        lower_four(minima, keys + k, functions.factors, functions.offsets, functions.count);
    for (; k < keyCount; k++)
        lower_one(minima, keys[k], functions.factors, functions.offsets, functions.count);
}
