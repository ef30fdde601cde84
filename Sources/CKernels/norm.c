#include "fk_norm.h"

// Sum of squares of x [n]; float lanes are enough for a few thousand terms.
FK_INLINE float sum_of_squares(const float *restrict x, size_t n) {
    FK_REDUCTION
    float sum = 0;
    for (size_t i = 0; i < n; i++) sum += x[i] * x[i];
    return sum;
}

// Sum of a gain b over [n].
FK_INLINE float weighted_dot(const float *restrict a, const float *restrict gain, const float *restrict b,
                             size_t n) {
    FK_REDUCTION
    float sum = 0;
    for (size_t i = 0; i < n; i++) sum += a[i] * gain[i] * b[i];
    return sum;
}

FK_KERNEL void fk_rms_norm_forward(float *restrict y, float *restrict inverseRMS, const float *restrict x,
                                   const float *restrict gain, size_t rows, size_t columns, size_t strideY,
                                   size_t strideX, float epsilon) {
    for (size_t r = 0; r < rows; r++) {
        const float *row = x + r * strideX;
        float inverse = 1.0f / sqrtf(sum_of_squares(row, columns) / (float)columns + epsilon);
        inverseRMS[r] = inverse;
        for (size_t i = 0; i < columns; i++) y[r * strideY + i] = gain[i] * (row[i] * inverse);
    }
}

FK_KERNEL void fk_rms_norm_backward(float *restrict dx, float *restrict dGain, const float *restrict dy,
                                    const float *restrict inverseRMS, const float *restrict x,
                                    const float *restrict gain, size_t rows, size_t columns, size_t strideDX,
                                    size_t strideDY, size_t strideX) {
    for (size_t r = 0; r < rows; r++) {
        const float *row = x + r * strideX, *d = dy + r * strideDY;
        float *out = dx + r * strideDX;
        float inverse = inverseRMS[r];
        float mean = weighted_dot(d, gain, row, columns) * inverse / (float)columns;
        for (size_t i = 0; i < columns; i++) {
            float n = row[i] * inverse;
            dGain[i] += d[i] * n;
            out[i] += inverse * (d[i] * gain[i] - n * mean);
        }
    }
}

FK_KERNEL void fk_range_norm_forward(float *restrict y, float *restrict inverseRMS, const float *restrict x,
                                     const size_t *restrict widths, size_t ranges, size_t rows,
                                     size_t strideY, size_t strideX, float epsilon) {
    for (size_t r = 0; r < rows; r++) {
        const float *restrict row = x + r * strideX;
        float *restrict out = y + r * strideY;
        for (size_t k = 0; k < ranges; row += widths[k], out += widths[k], k++) {
            float inverse = 1.0f / sqrtf(sum_of_squares(row, widths[k]) / (float)widths[k] + epsilon);
            inverseRMS[r * ranges + k] = inverse;
            for (size_t i = 0; i < widths[k]; i++) out[i] = row[i] * inverse;
        }
    }
}

FK_INLINE float dot(const float *restrict a, const float *restrict b, size_t n) {
    FK_REDUCTION
    float sum = 0;
    for (size_t i = 0; i < n; i++) sum += a[i] * b[i];
    return sum;
}

FK_KERNEL void fk_range_norm_backward(float *restrict dx, const float *restrict dy,
                                      const float *restrict inverseRMS, const float *restrict x,
                                      const size_t *restrict widths, size_t ranges, size_t rows,
                                      size_t strideDX, size_t strideDY, size_t strideX, int accumulate) {
    for (size_t r = 0; r < rows; r++) {
        const float *restrict row = x + r * strideX, *restrict d = dy + r * strideDY;
        float *restrict out = dx + r * strideDX;
        for (size_t k = 0; k < ranges; row += widths[k], d += widths[k], out += widths[k], k++) {
            float inverse = inverseRMS[r * ranges + k];
            float mean = dot(d, row, widths[k]) * inverse / (float)widths[k];
            for (size_t i = 0; i < widths[k]; i++) {
                float own = inverse * (d[i] - row[i] * inverse * mean);
                out[i] = accumulate ? out[i] + own : own;
            }
        }
    }
}

// The plain gate on a row: y = x silu(gateScale z).
FK_INLINE void gate_row(float *restrict y, const float *restrict x, const float *restrict z, size_t columns,
                        float gateScale) {
    for (size_t i = 0; i < columns; i++) y[i] = x[i] * fk_silu(gateScale * z[i]);
}

// Its gradient.
FK_INLINE void gate_row_backward(float *restrict dx, float *restrict dz, const float *restrict dy,
                                 const float *restrict x, const float *restrict z, size_t columns,
                                 float gateScale, const int accumulate) {
    for (size_t i = 0; i < columns; i++) {
        float g = gateScale * z[i], s = fk_sigmoid(g), toX = dy[i] * (g * s);
        float toZ = dy[i] * x[i] * (s * (1.0f + g * (1.0f - s))) * gateScale;
        dx[i] = accumulate ? dx[i] + toX : toX;
        dz[i] = accumulate ? dz[i] + toZ : toZ;
    }
}

// sigmoid [n] of the gates of a group, and the sum of dy gain v, v = x silu(gateScale z).
FK_INLINE float gated_dot(float *restrict sigmoid, const float *restrict dy, const float *restrict gain,
                          const float *restrict x, const float *restrict z, size_t n, float gateScale) {
    FK_REDUCTION
    float sum = 0;
    for (size_t i = 0; i < n; i++) {
        float g = gateScale * z[i], s = fk_sigmoid(g);
        sigmoid[i] = s;
        sum += dy[i] * gain[i] * (x[i] * (g * s));
    }
    return sum;
}

// The gradient of gate and norm in one group, from `mean` = mean(dy gain n).
FK_INLINE void gated_norm_group_backward(float *restrict dx, float *restrict dz, float *restrict dGain,
                                         const float *restrict dy, const float *restrict sigmoid,
                                         const float *restrict x, const float *restrict z,
                                         const float *restrict gain, size_t n, float inverse, float mean,
                                         float gateScale, const int accumulate) {
    for (size_t i = 0; i < n; i++) {
        float g = gateScale * z[i], s = sigmoid[i];
        float normed = x[i] * (g * s) * inverse;
        dGain[i] += dy[i] * normed;
        float dv = inverse * (dy[i] * gain[i] - normed * mean);
        float toX = dv * (g * s), toZ = dv * x[i] * (s * (1.0f + g * (1.0f - s))) * gateScale;
        dx[i] = accumulate ? dx[i] + toX : toX;
        dz[i] = accumulate ? dz[i] + toZ : toZ;
    }
}

FK_KERNEL void fk_gated_norm_forward(float *restrict y, float *restrict inverseRMS, const float *restrict x,
                                     const float *restrict z, const float *restrict gain, size_t rows,
                                     size_t columns, size_t groups, size_t strideY, size_t strideX,
                                     size_t strideZ, float gateScale, float epsilon) {
    size_t width = columns / groups;
    for (size_t r = 0; r < rows; r++) {
        float *out = y + r * strideY;
        gate_row(out, x + r * strideX, z + r * strideZ, columns, gateScale);
        if (!gain) continue;
        for (size_t g = 0; g < groups; g++) {
            float *v = out + g * width;
            float inverse = 1.0f / sqrtf(sum_of_squares(v, width) / (float)width + epsilon);
            inverseRMS[r * groups + g] = inverse;
            for (size_t i = 0; i < width; i++) v[i] = gain[g * width + i] * (v[i] * inverse);
        }
    }
}

FK_INLINE void gated_norm_backward(float *restrict dx, float *restrict dz, float *restrict dGain,
                                   const float *restrict dy, const float *restrict inverseRMS,
                                   const float *restrict x, const float *restrict z,
                                   const float *restrict gain, size_t rows, size_t columns, size_t groups,
                                   size_t strideDX, size_t strideDZ, size_t strideDY, size_t strideX,
                                   size_t strideZ, float gateScale, float *restrict scratch,
                                   const int accumulate) {
    size_t width = columns / groups;
    for (size_t r = 0; r < rows; r++) {
        const float *xr = x + r * strideX, *zr = z + r * strideZ, *dyr = dy + r * strideDY;
        float *dxr = dx + r * strideDX, *dzr = dz + r * strideDZ;
        // A loop for both cases would read gain under a mask, which costs 100 cycles a vector at NULL.
        if (!gain) {
            gate_row_backward(dxr, dzr, dyr, xr, zr, columns, gateScale, accumulate);
            continue;
        }
        for (size_t first = 0; first < columns; first += width) {
            float inverse = inverseRMS[r * groups + first / width];
            float dot =
                gated_dot(scratch, dyr + first, gain + first, xr + first, zr + first, width, gateScale);
            gated_norm_group_backward(dxr + first, dzr + first, dGain + first, dyr + first, scratch,
                                      xr + first, zr + first, gain + first, width, inverse,
                                      dot * inverse / (float)width, gateScale, accumulate);
        }
    }
}

FK_KERNEL void fk_gated_norm_backward(float *restrict dx, float *restrict dz, float *restrict dGain,
                                      const float *restrict dy, const float *restrict inverseRMS,
                                      const float *restrict x, const float *restrict z,
                                      const float *restrict gain, size_t rows, size_t columns, size_t groups,
                                      size_t strideDX, size_t strideDZ, size_t strideDY, size_t strideX,
                                      size_t strideZ, float gateScale, float *restrict scratch,
                                      int accumulate) {
    if (accumulate) {
        gated_norm_backward(dx, dz, dGain, dy, inverseRMS, x, z, gain, rows, columns, groups, strideDX,
                            strideDZ, strideDY, strideX, strideZ, gateScale, scratch, 1);
    } else {
        gated_norm_backward(dx, dz, dGain, dy, inverseRMS, x, z, gain, rows, columns, groups, strideDX,
                            strideDZ, strideDY, strideX, strideZ, gateScale, scratch, 0);
    }
}
