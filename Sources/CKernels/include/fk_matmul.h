// Matrix products: the one place that calls the BLAS for whole operands.
#ifndef FK_MATMUL_H
#define FK_MATMUL_H

#include "fk_common.h"

// Tells the BLAS to use one thread per call: the pool splits the work.
void fk_matmul_initialize(void);

// c [m, n] = alpha op(a) op(b) + beta c, row-major with row strides; op(a) is [m, k], op(b) is [k, n].
// When beta is 0, c is only written.
void fk_matmul(float *c, const float *a, const float *b, size_t m, size_t n, size_t k, size_t strideC,
               size_t strideA, size_t strideB, int transposeA, int transposeB, float alpha, float beta);

#endif
