#include "fk_tokens.h"

FK_KERNEL void fk_embedding_forward(float *restrict y, const float *restrict table,
                                    const int32_t *restrict tokens, size_t rows, size_t columns,
                                    size_t strideY, float scale) {
  for (size_t r = 0; r < rows; r++) {
    const float *entry = table + (size_t)tokens[r] * columns;
    for (size_t i = 0; i < columns; i++) y[r * strideY + i] = scale * entry[i];
  }
}

FK_KERNEL void fk_embedding_backward(float *restrict dTable, const float *restrict dy,
                                     const int32_t *restrict tokens, size_t rows, size_t columns,
                                     size_t strideDY, size_t first, size_t end, float scale,
                                     int32_t padding) {
  for (size_t r = 0; r < rows; r++) {
    if (tokens[r] == padding) continue;
    float *entry = dTable + (size_t)tokens[r] * columns;
    for (size_t i = first; i < end; i++) entry[i] += scale * dy[r * strideDY + i];
  }
}

void fk_rotary_table(float *cosine, float *sine, size_t start, size_t positions, size_t half,
                     double theta) {
  for (size_t i = 0; i < half; i++) {
    // transformers computes power, frequency and angle in float32. The frequency of a better rounding
    // would turn far positions by a different angle: 1e-7 of 200 is 2e-5.
    float frequency = 1.0f / powf((float)theta, (float)i / (float)half);
    for (size_t p = 0; p < positions; p++) {
      float angle = (float)(start + p) * frequency;
      cosine[p * half + i] = cosf(angle);
      sine[p * half + i] = sinf(angle);
    }
  }
}

FK_KERNEL void fk_rotary(float *restrict y, const float *restrict x, const int32_t *restrict positions,
                         const float *restrict cosine, const float *restrict sine, size_t rows,
                         size_t heads, size_t half, size_t strideY, size_t strideX, float direction,
                         int accumulate) {
  for (size_t r = 0; r < rows; r++) {
    const float *c = cosine + (size_t)positions[r] * half, *s = sine + (size_t)positions[r] * half;
    for (size_t h = 0; h < heads; h++) {
      const float *a = x + r * strideX + h * 2 * half, *b = a + half;
      float *p = y + r * strideY + h * 2 * half, *q = p + half;
      if (accumulate)
        for (size_t i = 0; i < half; i++) {
          p[i] += a[i] * c[i] - direction * (b[i] * s[i]);
          q[i] += b[i] * c[i] + direction * (a[i] * s[i]);
        }
      else
        for (size_t i = 0; i < half; i++) {
          p[i] = a[i] * c[i] - direction * (b[i] * s[i]);
          q[i] = b[i] * c[i] + direction * (a[i] * s[i]);
        }
    }
  }
}

// Largest of x [n]. A NaN among them reaches the loss through the sum of exponentials.
FK_INLINE float largest(const float *restrict x, size_t n) {
  float lanes[16];
  for (size_t j = 0; j < 16; j++) lanes[j] = -INFINITY;
  size_t i = 0;
  for (; i + 16 <= n; i += 16)
    for (size_t j = 0; j < 16; j++) lanes[j] = x[i + j] > lanes[j] ? x[i + j] : lanes[j];
  for (; i < n; i++) lanes[0] = x[i] > lanes[0] ? x[i] : lanes[0];
  for (size_t j = 1; j < 16; j++) lanes[0] = lanes[j] > lanes[0] ? lanes[j] : lanes[0];
  return lanes[0];
}

FK_INLINE float sum_of_exponentials(const float *restrict x, size_t n, float shift) {
  FK_REDUCTION
  float total = 0;
  // Blocks keep the rounding error of a long sum small.
  for (size_t start = 0; start < n; start += 1024) {
    size_t end = start + 1024 < n ? start + 1024 : n;
    float sum = 0;
    for (size_t i = start; i < end; i++) sum += fk_exp(x[i] - shift);
    total += sum;
  }
  return total;
}

FK_KERNEL void fk_cross_entropy(float *restrict loss, int32_t *restrict best, float *restrict logits,
                                const int32_t *restrict targets, size_t rows, size_t vocabulary,
                                size_t stride, float zLoss, float gradientScale) {
  for (size_t r = 0; r < rows; r++) {
    float *row = logits + r * stride;
    int32_t target = targets[r];
    float shift = largest(row, vocabulary);
    if (best) {
      size_t i = 0;
      while (i + 1 < vocabulary && row[i] != shift) i++;
      best[r] = (int32_t)i;
    }
    if (target < 0) {
      loss[r] = 0;
      if (gradientScale != 0)
        for (size_t i = 0; i < vocabulary; i++) row[i] = 0;
      continue;
    }
    float sum = sum_of_exponentials(row, vocabulary, shift);
    float logSum = logf(sum), lse = shift + logSum;
    loss[r] = (logSum - (row[target] - shift)) + zLoss * lse * lse;
    if (gradientScale == 0) continue;
    float scale = gradientScale * (1.0f + 2.0f * zLoss * lse) / sum;
    for (size_t i = 0; i < vocabulary; i++) row[i] = scale * fk_exp(row[i] - shift);
    row[target] -= gradientScale;
  }
}
