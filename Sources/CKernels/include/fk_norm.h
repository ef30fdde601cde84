// Root-mean-square norms over rows.
#ifndef FK_NORM_H
#define FK_NORM_H

#include "fk_common.h"

// y = gain * x * r, r = 1/sqrt(mean(x^2) + epsilon); y, x [rows, columns], inverseRMS [rows], gain [columns]
void fk_rms_norm_forward(float *y, float *inverseRMS, const float *x, const float *gain, size_t rows,
                         size_t columns, size_t strideY, size_t strideX, float epsilon);

// dx += r (q - n mean(q n)), q = dy gain, n = x r; dGain [columns] += sum over rows of dy n
void fk_rms_norm_backward(float *dx, float *dGain, const float *dy, const float *inverseRMS, const float *x,
                          const float *gain, size_t rows, size_t columns, size_t strideDX, size_t strideDY,
                          size_t strideX);

// A norm without gain for each of `ranges` neighbouring column ranges of widths [ranges]:
// y = x r on the columns of a range, r = 1/sqrt(mean over them(x^2) + epsilon); y, x [rows, sum of widths],
// inverseRMS [rows, ranges]
void fk_range_norm_forward(float *y, float *inverseRMS, const float *x, const size_t *widths, size_t ranges,
                           size_t rows, size_t strideY, size_t strideX, float epsilon);

// dx += r (dy - n mean(dy n)), n = x r, on the columns of a range (= without accumulate)
void fk_range_norm_backward(float *dx, const float *dy, const float *inverseRMS, const float *x,
                            const size_t *widths, size_t ranges, size_t rows, size_t strideDX,
                            size_t strideDY, size_t strideX, int accumulate);

// Gate first, then norm within groups of columns / groups channels:
// v = x silu(gateScale z), y = gain v / sqrt(mean_group(v^2) + epsilon); inverseRMS [rows, groups].
// With gain NULL there is no norm: y = v, and inverseRMS is not touched.
void fk_gated_norm_forward(float *y, float *inverseRMS, const float *x, const float *z, const float *gain,
                           size_t rows, size_t columns, size_t groups, size_t strideY, size_t strideX,
                           size_t strideZ, float gateScale, float epsilon);

// dx += dv silu(gateScale z), dz += dv x silu'(gateScale z) gateScale (= without accumulate),
// dGain += sum over rows of dy n; scratch [columns]
void fk_gated_norm_backward(float *dx, float *dz, float *dGain, const float *dy, const float *inverseRMS,
                            const float *x, const float *z, const float *gain, size_t rows, size_t columns,
                            size_t groups, size_t strideDX, size_t strideDZ, size_t strideDY, size_t strideX,
                            size_t strideZ, float gateScale, float *scratch, int accumulate);

#endif
