// Root-mean-square norms over rows.
#ifndef FK_NORM_H
#define FK_NORM_H

#include "fk_common.h"

// y = gain * x * r, r = 1/sqrt(mean(x^2) + epsilon); y, x [rows, columns], inverseRMS [rows], gain [columns]
void fk_rms_norm_forward(fk_rows y, float *inverseRMS, fk_const_rows x, const float *gain, size_t rows,
                         size_t columns, float epsilon);

// dx += r (q - n mean(q n)), q = dy gain, n = x r; dGain [columns] += sum over rows of dy n
void fk_rms_norm_backward(fk_rows dx, float *dGain, fk_const_rows dy, const float *inverseRMS,
                          fk_const_rows x, const float *gain, size_t rows, size_t columns);

// A norm without gain for each of `ranges` neighbouring column ranges of widths [ranges]:
// y = x r on the columns of a range, r = 1/sqrt(mean over them(x^2) + epsilon); y, x [rows, sum of widths],
// inverseRMS [rows, ranges]
void fk_range_norm_forward(fk_rows y, float *inverseRMS, fk_const_rows x, const size_t *widths, size_t ranges,
                           size_t rows, float epsilon);

// dx += r (dy - n mean(dy n)), n = x r, on the columns of a range (= without accumulate)
void fk_range_norm_backward(fk_rows dx, fk_const_rows dy, const float *inverseRMS, fk_const_rows x,
                            const size_t *widths, size_t ranges, size_t rows, int accumulate);

// The inputs of a gated norm.
typedef struct fk_gated_norm_inputs {
    fk_const_rows x, z;  // [rows, columns]; z is the gate
    const float *gain;   // [columns]; NULL: no norm
    float gateScale;     // of z
} fk_gated_norm_inputs;

// The sizes of a gated norm.
typedef struct fk_gated_norm_sizes {
    size_t rows, columns;
    size_t groups;  // of columns / groups channels, each with a norm of its own
} fk_gated_norm_sizes;

// The targets of the gradients of a gated norm.
typedef struct fk_gated_norm_gradients {
    fk_rows x, z;    // [rows, columns]
    float *gain;     // [columns], always added into; not touched without a norm
    int accumulate;  // whether those of x and z are added into, too, or written
} fk_gated_norm_gradients;

// Gate first, then norm within groups:
// v = x silu(gateScale z), y = gain v / sqrt(mean_group(v^2) + epsilon); y [rows, columns],
// inverseRMS [rows, groups]. Without a norm y = v, and inverseRMS is not touched.
void fk_gated_norm_forward(fk_rows y, float *inverseRMS, fk_gated_norm_inputs inputs,
                           fk_gated_norm_sizes sizes, float epsilon);

// dx (+)= dv silu(gateScale z), dz (+)= dv x silu'(gateScale z) gateScale,
// dGain += sum over rows of dy n; dy [rows, columns], scratch [columns]
void fk_gated_norm_backward(fk_gated_norm_gradients gradients, fk_const_rows dy, const float *inverseRMS,
                            fk_gated_norm_inputs inputs, fk_gated_norm_sizes sizes, float *scratch);

#endif
