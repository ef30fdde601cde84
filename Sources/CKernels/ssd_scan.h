#pragma once
// Shared by the two halves of the SSD scan; not part of the kernels' interface.
#include "fk_common.h"

// Columns of all heads that go into one product: whole heads, about as much as the caches like.
FK_INLINE size_t fk_ssd_block_width(size_t headSize) {
  enum { wanted = 128 };
  return headSize >= wanted ? headSize : wanted / headSize * headSize;
}

// A row of a chunk's square matrices, in whole vectors.
FK_INLINE size_t ssd_row_stride(size_t rows) { return (rows + 15) / 16 * 16; }

// e^(decay between two rows), the later first. A decay is a sum and what rounding took from it: near
// the diagonal the difference of two long sums must not lose what is left.
FK_INLINE float ssd_decay(float later, float laterRest, float earlier, float earlierRest) {
#pragma clang fp reassociate(off) contract(off)
  float exponent = (later - earlier) + (laterRest - earlierRest);
  return fk_exp(exponent > 0.0f ? 0.0f : exponent);
}

// weight[t] = e^(decay[t]), or e^(last decay - decay[t]) dt[t] when dt is given.
FK_INLINE void ssd_weights(float *restrict weight, const float *restrict dt,
                           const float *restrict decay, size_t rows) {
  if (!dt) {
    for (size_t t = 0; t < rows; ++t) weight[t] = fk_exp(decay[t]);
    return;
  }
  const float *restrict rest = decay + rows;
  float last = decay[rows - 1], lastRest = rest[rows - 1];
  for (size_t t = 0; t < rows; ++t) {
    weight[t] = ssd_decay(last, lastRest, decay[t], rest[t]) * dt[t];
  }
}

// target[t] = weight[t] * source[t], rows of `width`.
FK_INLINE void ssd_scale_rows(float *restrict target, size_t targetRow,
                              const float *restrict source, size_t sourceRow,
                              const float *restrict weight, size_t rows, size_t width) {
  for (size_t t = 0; t < rows; ++t) {
    for (size_t p = 0; p < width; ++p) {
      target[t * targetRow + p] = weight[t] * source[t * sourceRow + p];
    }
  }
}
