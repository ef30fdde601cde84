#include "fk_norm.h"

// Sum of squares of x [n]; float lanes are enough for a few thousand terms.
FK_INLINE float sum_of_squares(const float *restrict x, size_t n) {
  FK_REDUCTION
  float sum = 0;
  for (size_t i = 0; i < n; i++) sum += x[i] * x[i];
  return sum;
}

// Sum of a gain b over [n].
FK_INLINE float weighted_dot(const float *restrict a, const float *restrict gain,
                             const float *restrict b, size_t n) {
  FK_REDUCTION
  float sum = 0;
  for (size_t i = 0; i < n; i++) sum += a[i] * gain[i] * b[i];
  return sum;
}

FK_KERNEL void fk_rms_norm_forward(float *restrict y, float *restrict inverseRMS,
                                   const float *restrict x, const float *restrict gain, size_t rows,
                                   size_t columns, size_t strideY, size_t strideX, float epsilon) {
  for (size_t r = 0; r < rows; r++) {
    const float *row = x + r * strideX;
    float inverse = 1.0f / sqrtf(sum_of_squares(row, columns) / (float)columns + epsilon);
    inverseRMS[r] = inverse;
    for (size_t i = 0; i < columns; i++) y[r * strideY + i] = gain[i] * (row[i] * inverse);
  }
}

FK_KERNEL void fk_rms_norm_backward(float *restrict dx, float *restrict dGain, const float *restrict dy,
                                    const float *restrict inverseRMS, const float *restrict x,
                                    const float *restrict gain, size_t rows, size_t columns,
                                    size_t strideDX, size_t strideDY, size_t strideX) {
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

FK_KERNEL void fk_gated_norm_forward(float *restrict y, float *restrict inverseRMS,
                                     const float *restrict x, const float *restrict z,
                                     const float *restrict gain, size_t rows, size_t columns,
                                     size_t groups, size_t strideY, size_t strideX, size_t strideZ,
                                     float gateScale, float epsilon) {
  size_t width = columns / groups;
  for (size_t r = 0; r < rows; r++) {
    float *out = y + r * strideY;
    for (size_t i = 0; i < columns; i++)
      out[i] = x[r * strideX + i] * fk_silu(gateScale * z[r * strideZ + i]);
    if (!gain) continue;
    for (size_t g = 0; g < groups; g++) {
      float *v = out + g * width;
      float inverse = 1.0f / sqrtf(sum_of_squares(v, width) / (float)width + epsilon);
      inverseRMS[r * groups + g] = inverse;
      for (size_t i = 0; i < width; i++) v[i] = gain[g * width + i] * (v[i] * inverse);
    }
  }
}

FK_KERNEL void fk_gated_norm_backward(float *restrict dx, float *restrict dz, float *restrict dGain,
                                      const float *restrict dy, const float *restrict inverseRMS,
                                      const float *restrict x, const float *restrict z,
                                      const float *restrict gain, size_t rows, size_t columns,
                                      size_t groups, size_t strideDX, size_t strideDZ, size_t strideDY,
                                      size_t strideX, size_t strideZ, float gateScale,
                                      float *restrict scratch) {
  size_t width = columns / groups;
  for (size_t r = 0; r < rows; r++) {
    const float *xr = x + r * strideX, *zr = z + r * strideZ, *d = dy + r * strideDY;
    float *dxr = dx + r * strideDX, *dzr = dz + r * strideDZ;
    if (gain)
      for (size_t i = 0; i < columns; i++) scratch[i] = xr[i] * fk_silu(gateScale * zr[i]);
    for (size_t g = 0; g < groups; g++) {
      size_t first = g * width, end = first + width;
      float inverse = 1, mean = 0;
      if (gain) {
        inverse = inverseRMS[r * groups + g];
        mean = weighted_dot(d + first, gain + first, scratch + first, width) * inverse / (float)width;
      }
      for (size_t i = first; i < end; i++) {
        float dv = d[i];
        if (gain) {
          float n = scratch[i] * inverse;
          dGain[i] += dv * n;
          dv = inverse * (dv * gain[i] - n * mean);
        }
        float s = fk_sigmoid(gateScale * zr[i]), g0 = gateScale * zr[i];
        dxr[i] += dv * (g0 * s);
        dzr[i] += dv * xr[i] * (s * (1.0f + g0 * (1.0f - s))) * gateScale;
      }
    }
  }
}
