// Causal depthwise convolution over time, bias and SiLU, on the rows of one document.
//
//   u[t, c] = bias[c] + sum_k weight[c, k] scale[c] x[t - (K - 1) + k, c],   y = silu(u)
//
// Vectorised over channels; a block of channels stays in the first-level cache for all its rows.
#include "fk_common.h"
#include "fk_sequence.h"

enum { channelBlock = 256 };

FK_KERNEL void fk_conv1d_scale_taps(float *restrict taps, const float *restrict weight,
                                    const float *restrict scale, size_t channels,
                                    size_t tapCount) {
  for (size_t k = 0; k < tapCount; ++k) {
    for (size_t c = 0; c < channels; ++c) taps[k * channels + c] = weight[c * tapCount + k] * scale[c];
  }
}

// The row that tap k of row t reads: in x, in the history before it, or none (zeros).
FK_INLINE const float *tap_row(const float *x, size_t xRow, const float *history, size_t channels,
                               size_t t, size_t k, size_t tapCount) {
  if (t + k + 1 >= tapCount) return x + (t + k + 1 - tapCount) * xRow;
  return history ? history + (t + k) * channels : NULL;
}

// u[c] for `count` channels from `begin` of row t.
FK_INLINE void preactivation(float *restrict u, const float *x, size_t xRow, const float *history,
                             const float *restrict taps, const float *restrict bias,
                             size_t channels, size_t begin, size_t count, size_t t, size_t tapCount) {
  for (size_t c = 0; c < count; ++c) u[c] = bias[begin + c];
  for (size_t k = 0; k < tapCount; ++k) {
    const float *row = tap_row(x, xRow, history, channels, t, k, tapCount);
    if (!row) continue;
    const float *w = taps + k * channels + begin;
    row += begin;
    for (size_t c = 0; c < count; ++c) u[c] += w[c] * row[c];
  }
}

// The usual case, four taps inside the document, in one pass: the output row is y.
FK_INLINE void four_taps_forward(float *restrict y, const float *restrict x0,
                                 const float *restrict x1, const float *restrict x2,
                                 const float *restrict x3, const float *restrict w0,
                                 const float *restrict w1, const float *restrict w2,
                                 const float *restrict w3, const float *restrict bias,
                                 size_t count) {
  for (size_t c = 0; c < count; ++c) {
    y[c] = fk_silu(bias[c] + w0[c] * x0[c] + w1[c] * x1[c] + w2[c] * x2[c] + w3[c] * x3[c]);
  }
}

// Likewise: du, then its share in dbias and the taps' gradients.
FK_INLINE void four_taps_backward(float *restrict du, float *restrict db, float *restrict dw0,
                                  float *restrict dw1, float *restrict dw2, float *restrict dw3,
                                  const float *restrict dy, const float *restrict x0,
                                  const float *restrict x1, const float *restrict x2,
                                  const float *restrict x3, const float *restrict w0,
                                  const float *restrict w1, const float *restrict w2,
                                  const float *restrict w3, const float *restrict bias,
                                  size_t count) {
  for (size_t c = 0; c < count; ++c) {
    float u = bias[c] + w0[c] * x0[c] + w1[c] * x1[c] + w2[c] * x2[c] + w3[c] * x3[c];
    float gradient = dy[c] * fk_silu_derivative(u);
    du[c] = gradient;
    db[c] += gradient;
    dw0[c] += gradient * x0[c];
    dw1[c] += gradient * x1[c];
    dw2[c] += gradient * x2[c];
    dw3[c] += gradient * x3[c];
  }
}

// dx of one row, from the four rows it reached: du0 through the first tap, the latest row.
FK_INLINE void four_taps_input(float *restrict dx, const float *restrict du0,
                               const float *restrict du1, const float *restrict du2,
                               const float *restrict du3, const float *restrict w0,
                               const float *restrict w1, const float *restrict w2,
                               const float *restrict w3, size_t count) {
  for (size_t c = 0; c < count; ++c) {
    dx[c] += w0[c] * du0[c] + w1[c] * du1[c] + w2[c] * du2[c] + w3[c] * du3[c];
  }
}

size_t fk_conv1d_silu_forward_scratch_floats(void) { return channelBlock; }

FK_KERNEL void fk_conv1d_silu_forward(float *restrict y, size_t yRow, const float *restrict x,
                                      size_t xRow, const float *restrict history,
                                      const float *restrict taps, const float *restrict bias,
                                      size_t rowBegin, size_t rowEnd, size_t channels,
                                      size_t tapCount, float *restrict scratch) {
  float *u = scratch;
  for (size_t begin = 0; begin < channels; begin += channelBlock) {
    size_t count = channels - begin < channelBlock ? channels - begin : channelBlock;
    const float *restrict b = bias + begin, *restrict w = taps + begin;
    for (size_t t = rowBegin; t < rowEnd; ++t) {
      float *restrict target = y + t * yRow + begin;
      if (tapCount == 4 && t >= 3) {
        const float *last = x + t * xRow + begin;
        four_taps_forward(target, last - 3 * xRow, last - 2 * xRow, last - xRow, last, w,
                          w + channels, w + 2 * channels, w + 3 * channels, b, count);
      } else {
        preactivation(u, x, xRow, history, taps, bias, channels, begin, count, t, tapCount);
        for (size_t c = 0; c < count; ++c) target[c] = fk_silu(u[c]);
      }
    }
  }
}

size_t fk_conv1d_silu_backward_scratch_floats(size_t tapCount) { return channelBlock * tapCount; }

FK_KERNEL void fk_conv1d_silu_backward(float *restrict dx, size_t dxRow,
                                       float *restrict dtaps, float *restrict dbias,
                                       const float *restrict dy, size_t dyRow,
                                       const float *restrict x, size_t xRow,
                                       const float *restrict taps, const float *restrict bias,
                                       size_t rowBegin, size_t rowEnd, size_t rows, size_t channels,
                                       size_t tapCount, float *restrict scratch) {
  float *ring = scratch;  // du of the latest rows, one for each tap
  // Rows after this piece still reach back into it through their taps.
  size_t last = rowEnd + tapCount - 1;
  for (size_t begin = 0; begin < channels; begin += channelBlock) {
    size_t count = channels - begin < channelBlock ? channels - begin : channelBlock;
    const float *b = bias + begin, *w = taps + begin;
    float *dw = dtaps + begin, *db = dbias + begin;
    for (size_t t = rowBegin; t < last; ++t) {
      float *restrict du = ring + t % tapCount * channelBlock;
      const float *restrict upstream = dy + t * dyRow + begin;
      const float *row = x + t * xRow + begin;
      if (tapCount == 4 && t >= 3 && t < rowEnd) {
        four_taps_backward(du, db, dw, dw + channels, dw + 2 * channels, dw + 3 * channels, upstream,
                           row - 3 * xRow, row - 2 * xRow, row - xRow, row, w, w + channels,
                           w + 2 * channels, w + 3 * channels, b, count);
      } else if (t < rows) {
        preactivation(du, x, xRow, NULL, taps, bias, channels, begin, count, t, tapCount);
        for (size_t c = 0; c < count; ++c) du[c] = upstream[c] * fk_silu_derivative(du[c]);
        for (size_t c = 0; c < count && t < rowEnd; ++c) db[c] += du[c];
        for (size_t k = t + 1 < tapCount ? tapCount - 1 - t : 0; k < tapCount && t < rowEnd; ++k) {
          const float *restrict tapRow = row - (tapCount - 1 - k) * xRow;
          float *restrict dwk = dw + k * channels;
          for (size_t c = 0; c < count; ++c) dwk[c] += du[c] * tapRow[c];
        }
      } else {
        memset(du, 0, count * sizeof(float));
      }
      if (t + 1 < rowBegin + tapCount) continue;
      size_t source = t + 1 - tapCount;  // the row whose reach ends here
      float *restrict target = dx + source * dxRow + begin;
      if (tapCount == 4) {
        four_taps_input(target, du, ring + (t + 3) % 4 * channelBlock,
                        ring + (t + 2) % 4 * channelBlock, ring + (t + 1) % 4 * channelBlock, w,
                        w + channels, w + 2 * channels, w + 3 * channels, count);
        continue;
      }
      for (size_t k = 0; k < tapCount; ++k) {
        const float *restrict wk = w + k * channels, *reach = ring + (t - k) % tapCount * channelBlock;
        for (size_t c = 0; c < count; ++c) target[c] += wk[c] * reach[c];
      }
    }
  }
}

FK_KERNEL void fk_conv1d_silu_reduce(float *restrict dweight, float *restrict dbias,
                                     const float *restrict parts, const float *restrict scale,
                                     size_t partCount, size_t channelBegin, size_t channelEnd,
                                     size_t channels, size_t tapCount) {
  for (size_t c = channelBegin; c < channelEnd; ++c) {
    for (size_t k = 0; k <= tapCount; ++k) {
      double sum = 0.0;
      for (size_t p = 0; p < partCount; ++p) sum += parts[(p * (tapCount + 1) + k) * channels + c];
      if (k < tapCount) {
        dweight[c * tapCount + k] += (float)(sum * scale[c]);
      } else {
        dbias[c] += (float)sum;
      }
    }
  }
}
