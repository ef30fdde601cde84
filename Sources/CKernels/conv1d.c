// Causal depthwise convolution over time, bias and SiLU, on the rows of one document.
//
//   u[t, c] = bias[c] + sum_k weight[c, k] scale[c] x[t - (K - 1) + k, c],   y = silu(u)
//
// Vectorised over channels.
#include "fk_common.h"
#include "fk_sequence.h"
#include "lanes.h"

enum { channelBlock = 256 };

FK_KERNEL void fk_conv1d_scale_taps(float *restrict taps, const float *restrict weight,
                                    const float *restrict scale, size_t channels, size_t tapCount) {
    for (size_t k = 0; k < tapCount; ++k) {
        for (size_t c = 0; c < channels; ++c) taps[k * channels + c] = weight[c * tapCount + k] * scale[c];
    }
}

// The row that tap k of row t reads: in x, in the history before it, or none (zeros).
FK_INLINE const float *tap_row(const float *x, size_t xRow, const float *history, size_t channels, size_t t,
                               size_t k, size_t tapCount) {
    if (t + k + 1 >= tapCount) return x + (t + k + 1 - tapCount) * xRow;
    return history ? history + (t + k) * channels : NULL;
}

// u[c] for `count` channels from `begin` of row t.
FK_INLINE void preactivation(float *restrict u, const float *x, size_t xRow, const float *history,
                             const float *restrict taps, const float *restrict bias, size_t channels,
                             size_t begin, size_t count, size_t t, size_t tapCount) {
    for (size_t c = 0; c < count; ++c) u[c] = bias[begin + c];
    for (size_t k = 0; k < tapCount; ++k) {
        const float *row = tap_row(x, xRow, history, channels, t, k, tapCount);
        if (!row) continue;
        const float *w = taps + k * channels + begin;
        row += begin;
        for (size_t c = 0; c < count; ++c) u[c] += w[c] * row[c];
    }
}

// The usual case, four taps: 16 channels walk down the rows with weights, sums and the last rows in
// registers. Outside the document there are zeros.
enum { fourTaps = 4 };

// The weights of 16 channels.
struct tap_lanes {
    fk_lanes w0, w1, w2, w3, bias;
};

FK_INLINE void load_taps(struct tap_lanes *lanes, const float *taps, const float *bias, size_t channels) {
    lanes->w0 = FK_CONST_LANES(taps);
    lanes->w1 = FK_CONST_LANES(taps + channels);
    lanes->w2 = FK_CONST_LANES(taps + 2 * channels);
    lanes->w3 = FK_CONST_LANES(taps + 3 * channels);
    lanes->bias = FK_CONST_LANES(bias);
}

// The row `back` rows before row t, or what comes before the document.
FK_INLINE void load_before(fk_lanes *row, const float *x, size_t xRow, const float *history, size_t channels,
                           size_t t, size_t back) {
    *row = (fk_lanes){0};
    if (t >= back) {
        *row = FK_CONST_LANES(x + (t - back) * xRow);
    } else if (history) {
        *row = FK_CONST_LANES(history + (t + fourTaps - 1 - back) * channels);
    }
}

FK_INLINE void four_taps_forward(float *restrict y, size_t yRow, const float *restrict x, size_t xRow,
                                 const float *restrict history, const float *restrict taps,
                                 const float *restrict bias, size_t rowBegin, size_t rowEnd,
                                 size_t channels) {
    struct tap_lanes w;
    fk_lanes x0, x1, x2;
    load_taps(&w, taps, bias, channels);
    load_before(&x0, x, xRow, history, channels, rowBegin, 3);
    load_before(&x1, x, xRow, history, channels, rowBegin, 2);
    load_before(&x2, x, xRow, history, channels, rowBegin, 1);
    for (size_t t = rowBegin; t < rowEnd; ++t) {
        fk_lanes x3 = FK_CONST_LANES(x + t * xRow);
        fk_lanes u = w.bias + w.w0 * x0 + w.w1 * x1 + w.w2 * x2 + w.w3 * x3, sigmoid = u;
        fk_lanes_sigmoid(&sigmoid);
        FK_LANES(y + t * yRow) = u * sigmoid;
        x0 = x1, x1 = x2, x2 = x3;
    }
}

FK_INLINE void four_taps_backward(float *restrict dx, size_t dxRow, float *restrict dtaps,
                                  float *restrict dbias, const float *restrict dy, size_t dyRow,
                                  const float *restrict x, size_t xRow, const float *restrict taps,
                                  const float *restrict bias, size_t rowBegin, size_t rowEnd, size_t rows,
                                  size_t channels, const int accumulate) {
    struct tap_lanes w, dw = {FK_LANES(dtaps), FK_LANES(dtaps + channels), FK_LANES(dtaps + 2 * channels),
                              FK_LANES(dtaps + 3 * channels), FK_LANES(dbias)};
    fk_lanes x0, x1, x2, du0 = {0}, du1 = {0}, du2 = {0};
    load_taps(&w, taps, bias, channels);
    load_before(&x0, x, xRow, NULL, channels, rowBegin, 3);
    load_before(&x1, x, xRow, NULL, channels, rowBegin, 2);
    load_before(&x2, x, xRow, NULL, channels, rowBegin, 1);
    // Three rows after this piece still reach back into it through their taps.
    for (size_t t = rowBegin; t < rowEnd + fourTaps - 1; ++t) {
        fk_lanes du3 = {0};
        if (t < rows) {
            fk_lanes x3 = FK_CONST_LANES(x + t * xRow);
            fk_lanes u = w.bias + w.w0 * x0 + w.w1 * x1 + w.w2 * x2 + w.w3 * x3, sigmoid = u;
            fk_lanes_sigmoid(&sigmoid);
            du3 = FK_CONST_LANES(dy + t * dyRow) * (sigmoid * (1.0f + u * (1.0f - sigmoid)));
            if (t < rowEnd) {
                dw.w0 += du3 * x0;
                dw.w1 += du3 * x1;
                dw.w2 += du3 * x2;
                dw.w3 += du3 * x3;
                dw.bias += du3;
            }
            x0 = x1, x1 = x2, x2 = x3;
        }
        if (t + 1 >= rowBegin + fourTaps) {
            fk_lanes own = w.w0 * du3 + w.w1 * du2 + w.w2 * du1 + w.w3 * du0;
            fk_lanes *target = &FK_LANES(dx + (t + 1 - fourTaps) * dxRow);
            *target = accumulate ? *target + own : own;
        }
        du0 = du1, du1 = du2, du2 = du3;
    }
    FK_LANES(dtaps) = dw.w0;
    FK_LANES(dtaps + channels) = dw.w1;
    FK_LANES(dtaps + 2 * channels) = dw.w2;
    FK_LANES(dtaps + 3 * channels) = dw.w3;
    FK_LANES(dbias) = dw.bias;
}

size_t fk_conv1d_silu_forward_scratch_floats(void) { return channelBlock; }

FK_KERNEL void fk_conv1d_silu_forward(float *restrict y, size_t yRow, const float *restrict x, size_t xRow,
                                      const float *restrict history, const float *restrict taps,
                                      const float *restrict bias, size_t rowBegin, size_t rowEnd,
                                      size_t channels, size_t tapCount, float *restrict scratch) {
    float *u = scratch;
    size_t begin = 0;
    for (; tapCount == fourTaps && begin + laneCount <= channels; begin += laneCount) {
        four_taps_forward(y + begin, yRow, x + begin, xRow, history ? history + begin : NULL, taps + begin,
                          bias + begin, rowBegin, rowEnd, channels);
    }
    for (; begin < channels; begin += channelBlock) {
        size_t count = channels - begin < channelBlock ? channels - begin : channelBlock;
        for (size_t t = rowBegin; t < rowEnd; ++t) {
            float *restrict target = y + t * yRow + begin;
            preactivation(u, x, xRow, history, taps, bias, channels, begin, count, t, tapCount);
            for (size_t c = 0; c < count; ++c) target[c] = fk_silu(u[c]);
        }
    }
}

size_t fk_conv1d_silu_backward_scratch_floats(size_t tapCount) { return channelBlock * tapCount; }

FK_KERNEL void fk_conv1d_silu_backward(float *restrict dx, size_t dxRow, float *restrict dtaps,
                                       float *restrict dbias, const float *restrict dy, size_t dyRow,
                                       const float *restrict x, size_t xRow, const float *restrict taps,
                                       const float *restrict bias, size_t rowBegin, size_t rowEnd,
                                       size_t rows, size_t channels, size_t tapCount, int accumulate,
                                       float *restrict scratch) {
    float *ring = scratch;  // du of the latest rows, one for each tap
    // Rows after this piece still reach back into it through their taps.
    size_t last = rowEnd + tapCount - 1;
    size_t begin = 0;
    for (; tapCount == fourTaps && begin + laneCount <= channels; begin += laneCount) {
        if (accumulate) {
            four_taps_backward(dx + begin, dxRow, dtaps + begin, dbias + begin, dy + begin, dyRow, x + begin,
                               xRow, taps + begin, bias + begin, rowBegin, rowEnd, rows, channels, 1);
        } else {
            four_taps_backward(dx + begin, dxRow, dtaps + begin, dbias + begin, dy + begin, dyRow, x + begin,
                               xRow, taps + begin, bias + begin, rowBegin, rowEnd, rows, channels, 0);
        }
    }
    for (; begin < channels; begin += channelBlock) {
        size_t count = channels - begin < channelBlock ? channels - begin : channelBlock;
        const float *w = taps + begin;
        float *dw = dtaps + begin, *db = dbias + begin;
        for (size_t t = rowBegin; t < last; ++t) {
            float *restrict du = ring + t % tapCount * channelBlock;
            const float *restrict upstream = dy + t * dyRow + begin;
            const float *row = x + t * xRow + begin;
            if (t < rows) {
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
            if (!accumulate) memset(target, 0, count * sizeof(float));
            for (size_t k = 0; k < tapCount; ++k) {
                const float *restrict wk = w + k * channels,
                                      *reach = ring + (t - k) % tapCount * channelBlock;
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
