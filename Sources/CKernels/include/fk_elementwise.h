// Element-wise kernels on rows: [rows, columns] with row strides in floats.
#ifndef FK_ELEMENTWISE_H
#define FK_ELEMENTWISE_H

#include "fk_common.h"

// y [n] = value
void fk_fill(float *y, size_t n, float value);

// y [rows, columns] = value
void fk_fill_rows(float *y, size_t rows, size_t columns, size_t strideY, float value);

// y [rows, columns] = scale * x
void fk_copy_rows(float *y, const float *x, size_t rows, size_t columns, size_t strideY, size_t strideX,
                  float scale);

// y [rows, columns] += scale * x
void fk_add_rows(float *y, const float *x, size_t rows, size_t columns, size_t strideY, size_t strideX,
                 float scale);

// y [n] = a + b + c; c may be NULL
void fk_sum(float *y, const float *a, const float *b, const float *c, size_t n);

// y [n] += sum over pieces p of partial [pieces, n], in the order of p
void fk_reduce_partials(float *y, const float *partial, size_t pieces, size_t n);

// Sum of squares of x [n], in double.
double fk_sum_of_squares(const float *x, size_t n);

// The first place of x [n] that is infinite or no number; n if there is none.
size_t fk_first_not_finite(const float *x, size_t n);

// x [n] *= scale
void fk_scale(float *x, size_t n, float scale);

// SwiGLU: y [rows, columns] = up * silu(gate)
void fk_swiglu_forward(float *y, const float *gate, const float *up, size_t rows, size_t columns,
                       size_t strideY, size_t strideGate, size_t strideUp);

// dGate += dy * up * silu'(gate), dUp += dy * silu(gate), or = without accumulate; all [rows, columns]
void fk_swiglu_backward(float *dGate, float *dUp, const float *dy, const float *gate, const float *up,
                        size_t rows, size_t columns, size_t strideDGate, size_t strideDUp, size_t strideDY,
                        size_t strideGate, size_t strideUp, int accumulate);

#endif
