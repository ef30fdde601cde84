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

FK_INLINE void gain_row(float *restrict y, const float *restrict x, const float *restrict gain, size_t n,
                        float inverse) {
    for (size_t i = 0; i < n; i++) y[i] = gain[i] * (x[i] * inverse);
}

FK_KERNEL void fk_rms_norm_forward(fk_rows y, float *restrict inverseRMS, fk_const_rows x,
                                   const float *restrict gain, size_t rows, size_t columns, float epsilon) {
    for (size_t r = 0; r < rows; r++) {
        const float *row = x.first + r * x.stride;
        float inverse = 1.0f / sqrtf(sum_of_squares(row, columns) / (float)columns + epsilon);
        inverseRMS[r] = inverse;
        gain_row(y.first + r * y.stride, row, gain, columns, inverse);
    }
}

// The gradient of a row, from `mean` = mean(dy gain n).
FK_INLINE void gain_row_backward(float *restrict dx, float *restrict dGain, const float *restrict dy,
                                 const float *restrict x, const float *restrict gain, size_t n, float inverse,
                                 float mean) {
    for (size_t i = 0; i < n; i++) {
        float normed = x[i] * inverse;
        dGain[i] += dy[i] * normed;
        dx[i] += inverse * (dy[i] * gain[i] - normed * mean);
    }
}

FK_KERNEL void fk_rms_norm_backward(fk_rows dx, float *restrict dGain, fk_const_rows dy,
                                    const float *restrict inverseRMS, fk_const_rows x,
                                    const float *restrict gain, size_t rows, size_t columns) {
    for (size_t r = 0; r < rows; r++) {
        const float *row = x.first + r * x.stride, *d = dy.first + r * dy.stride;
        float inverse = inverseRMS[r];
        float mean = weighted_dot(d, gain, row, columns) * inverse / (float)columns;
        gain_row_backward(dx.first + r * dx.stride, dGain, d, row, gain, columns, inverse, mean);
    }
}

FK_INLINE void scale_row(float *restrict y, const float *restrict x, size_t n, float inverse) {
    for (size_t i = 0; i < n; i++) y[i] = x[i] * inverse;
}

FK_KERNEL void fk_range_norm_forward(fk_rows y, float *restrict inverseRMS, fk_const_rows x,
                                     const size_t *restrict widths, size_t ranges, size_t rows,
                                     float epsilon) {
    for (size_t r = 0; r < rows; r++) {
        const float *row = x.first + r * x.stride;
        float *out = y.first + r * y.stride;
        for (size_t k = 0; k < ranges; row += widths[k], out += widths[k], k++) {
            float inverse = 1.0f / sqrtf(sum_of_squares(row, widths[k]) / (float)widths[k] + epsilon);
            inverseRMS[r * ranges + k] = inverse;
            scale_row(out, row, widths[k], inverse);
        }
    }
}

FK_INLINE float dot(const float *restrict a, const float *restrict b, size_t n) {
    FK_REDUCTION
    float sum = 0;
    for (size_t i = 0; i < n; i++) sum += a[i] * b[i];
    return sum;
}

// The gradient of a range of a row, from `mean` = mean(dy n).
FK_INLINE void range_backward(float *restrict dx, const float *restrict dy, const float *restrict x, size_t n,
                              float inverse, float mean, int accumulate) {
    for (size_t i = 0; i < n; i++) {
        float own = inverse * (dy[i] - x[i] * inverse * mean);
        dx[i] = accumulate ? dx[i] + own : own;
    }
}

FK_KERNEL void fk_range_norm_backward(fk_rows dx, fk_const_rows dy, const float *restrict inverseRMS,
                                      fk_const_rows x, const size_t *restrict widths, size_t ranges,
                                      size_t rows, int accumulate) {
    for (size_t r = 0; r < rows; r++) {
        const float *row = x.first + r * x.stride, *d = dy.first + r * dy.stride;
        float *out = dx.first + r * dx.stride;
        for (size_t k = 0; k < ranges; row += widths[k], d += widths[k], out += widths[k], k++) {
            float inverse = inverseRMS[r * ranges + k];
            float mean = dot(d, row, widths[k]) * inverse / (float)widths[k];
            range_backward(out, d, row, widths[k], inverse, mean, accumulate);
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

// v = gain v inverse
FK_INLINE void gain_in_place(float *restrict v, const float *restrict gain, size_t n, float inverse) {
    for (size_t i = 0; i < n; i++) v[i] = gain[i] * (v[i] * inverse);
}

FK_KERNEL void fk_gated_norm_forward(fk_rows y, float *restrict inverseRMS, fk_gated_norm_inputs inputs,
                                     fk_gated_norm_sizes sizes, float epsilon) {
    fk_const_rows x = inputs.x, z = inputs.z;
    const float *gain = inputs.gain;
    size_t width = sizes.columns / sizes.groups;
    for (size_t r = 0; r < sizes.rows; r++) {
        float *out = y.first + r * y.stride;
        gate_row(out, x.first + r * x.stride, z.first + r * z.stride, sizes.columns, inputs.gateScale);
        if (!gain) continue;
        for (size_t g = 0; g < sizes.groups; g++) {
            float *v = out + g * width;
            float inverse = 1.0f / sqrtf(sum_of_squares(v, width) / (float)width + epsilon);
            inverseRMS[r * sizes.groups + g] = inverse;
            gain_in_place(v, gain + g * width, width, inverse);
        }
    }
}

FK_INLINE void gated_norm_backward(fk_gated_norm_gradients gradients, fk_const_rows dy,
                                   const float *restrict inverseRMS, fk_gated_norm_inputs inputs,
                                   fk_gated_norm_sizes sizes, float *restrict scratch, const int accumulate) {
    fk_rows dx = gradients.x, dz = gradients.z;
    fk_const_rows x = inputs.x, z = inputs.z;
    float *dGain = gradients.gain, gateScale = inputs.gateScale;
    const float *gain = inputs.gain;
    size_t columns = sizes.columns, width = columns / sizes.groups;
    for (size_t r = 0; r < sizes.rows; r++) {
        const float *xr = x.first + r * x.stride, *zr = z.first + r * z.stride;
        const float *dyr = dy.first + r * dy.stride;
        float *dxr = dx.first + r * dx.stride, *dzr = dz.first + r * dz.stride;
        // A loop for both cases would read gain under a mask, which costs 100 cycles a vector at NULL.
        if (!gain) {
            gate_row_backward(dxr, dzr, dyr, xr, zr, columns, gateScale, accumulate);
            continue;
        }
        for (size_t first = 0; first < columns; first += width) {
            float inverse = inverseRMS[r * sizes.groups + first / width];
            float dot =
                gated_dot(scratch, dyr + first, gain + first, xr + first, zr + first, width, gateScale);
            gated_norm_group_backward(dxr + first, dzr + first, dGain + first, dyr + first, scratch,
                                      xr + first, zr + first, gain + first, width, inverse,
                                      dot * inverse / (float)width, gateScale, accumulate);
        }
    }
}

FK_KERNEL void fk_gated_norm_backward(fk_gated_norm_gradients gradients, fk_const_rows dy,
                                      const float *restrict inverseRMS, fk_gated_norm_inputs inputs,
                                      fk_gated_norm_sizes sizes, float *restrict scratch) {
    if (gradients.accumulate) {
        gated_norm_backward(gradients, dy, inverseRMS, inputs, sizes, scratch, 1);
    } else {
        gated_norm_backward(gradients, dy, inverseRMS, inputs, sizes, scratch, 0);
    }
}
