// Element-wise kernels on flat buffers and on matrices [rows, columns].
#ifndef FK_ELEMENTWISE_H
#define FK_ELEMENTWISE_H

#include "fk_common.h"

// y [n] = value
void fk_fill(float *y, size_t n, float value);

// y [rows, columns] = value
void fk_fill_rows(fk_rows y, size_t rows, size_t columns, float value);

// y [rows, columns] = scale * x
void fk_copy_rows(fk_rows y, fk_const_rows x, size_t rows, size_t columns, float scale);

// y [rows, columns] += scale * x
void fk_add_rows(fk_rows y, fk_const_rows x, size_t rows, size_t columns, float scale);

// y [n] = a + b + c; c may be NULL
void fk_sum(float *y, const float *a, const float *b, const float *c, size_t n);

// y [n] += sum over pieces p of partial [pieces, n], in the order of p
void fk_reduce_partials(float *y, const float *partial, size_t pieces, size_t n);

// Sum of squares of x [n], in double.
double fk_sum_of_squares(const float *x, size_t n);

// The first place of x [n] that is infinite or NaN; n if there is none.
size_t fk_first_not_finite(const float *x, size_t n);

// x [n] *= scale
void fk_scale(float *x, size_t n, float scale);

// The inputs of SwiGLU; both [rows, columns].
typedef struct fk_swiglu_inputs {
    fk_const_rows gate, up;
} fk_swiglu_inputs;

// The targets of its gradients; both [rows, columns].
typedef struct fk_swiglu_gradients {
    fk_rows gate, up;
    int accumulate;  // whether they are added into, or written
} fk_swiglu_gradients;

// SwiGLU: y [rows, columns] = up * silu(gate)
void fk_swiglu_forward(fk_rows y, fk_swiglu_inputs inputs, size_t rows, size_t columns);

// With dGate and dUp for the gradients: dGate (+)= dy * up * silu'(gate), dUp (+)= dy * silu(gate);
// dy [rows, columns]
void fk_swiglu_backward(fk_swiglu_gradients gradients, fk_const_rows dy, fk_swiglu_inputs inputs, size_t rows,
                        size_t columns);

#endif
