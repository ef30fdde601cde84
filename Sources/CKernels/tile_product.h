// Products of small matrices that live in the caches; not part of the kernels' interface.
#ifndef FK_TILE_PRODUCT_H
#define FK_TILE_PRODUCT_H

#include "fk_sequence.h"
#include "rows.h"

// A factor of a product: element (i, k) is first[i * row + k * column].
typedef struct fk_matrix {
    const float *first;
    size_t row, column;
} fk_matrix;

// A matrix as it lies in memory.
FK_INLINE fk_matrix fk_as_is(fk_const_rows x) { return (fk_matrix){x.first, x.stride, 1}; }

FK_INLINE fk_matrix fk_transposed(fk_const_rows x) { return (fk_matrix){x.first, 1, x.stride}; }

// c [m, n] (+)= a [m, depth] b [depth, n]; b's row or column is 1. Options: FK_TILE_...
void fk_tile_product(fk_rows c, fk_matrix a, fk_matrix b, size_t m, size_t n, size_t depth, unsigned options);

#endif
