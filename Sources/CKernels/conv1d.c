// Causal depthwise convolution over time, bias and SiLU, on the rows of one document.
//
//   u[t, c] = bias[c] + sum_k weight[c, k] scale[c] x[t - (K - 1) + k, c],   y = silu(u)
//
// Vectorised over channels.
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
FK_INLINE const float *tap_row(const fk_conv1d_inputs *in, const fk_conv1d_sizes *sizes, size_t t, size_t k) {
    size_t tapCount = sizes->tapCount;
    if (t + k + 1 >= tapCount) return in->x.first + (t + k + 1 - tapCount) * in->x.stride;
    return in->history ? in->history + (t + k) * sizes->channels : NULL;
}

FK_INLINE void add_products(float *restrict u, const float *restrict w, const float *restrict row,
                            size_t count) {
    for (size_t c = 0; c < count; ++c) u[c] += w[c] * row[c];
}

// u[c] for `count` channels from `begin` of row t.
FK_INLINE void preactivation(float *restrict u, const fk_conv1d_inputs *in, const fk_conv1d_sizes *sizes,
                             size_t begin, size_t count, size_t t) {
    memcpy(u, in->bias + begin, count * sizeof(float));
    for (size_t k = 0; k < sizes->tapCount; ++k) {
        const float *row = tap_row(in, sizes, t, k);
        if (row) add_products(u, in->taps + k * sizes->channels + begin, row + begin, count);
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

FK_INLINE void store_taps(float *taps, float *bias, const struct tap_lanes *lanes, size_t channels) {
    FK_LANES(taps) = lanes->w0;
    FK_LANES(taps + channels) = lanes->w1;
    FK_LANES(taps + 2 * channels) = lanes->w2;
    FK_LANES(taps + 3 * channels) = lanes->w3;
    FK_LANES(bias) = lanes->bias;
}

// The row `back` rows before row t, or the rows before the document.
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
                                 const float *restrict history, const struct tap_lanes *w, fk_range rows,
                                 size_t channels) {
    fk_lanes x0, x1, x2;
    load_before(&x0, x, xRow, history, channels, rows.begin, 3);
    load_before(&x1, x, xRow, history, channels, rows.begin, 2);
    load_before(&x2, x, xRow, history, channels, rows.begin, 1);
    for (size_t t = rows.begin; t < rows.end; ++t) {
        fk_lanes x3 = FK_CONST_LANES(x + t * xRow);
        fk_lanes u = w->bias + w->w0 * x0 + w->w1 * x1 + w->w2 * x2 + w->w3 * x3, sigmoid = u;
        fk_lanes_sigmoid(&sigmoid);
        FK_LANES(y + t * yRow) = u * sigmoid;
        x0 = x1, x1 = x2, x2 = x3;
    }
}

// Adds to the gradients of the weights, `dw`; a document has `documentRows` rows.
FK_INLINE void four_taps_backward(float *restrict dx, size_t dxRow, struct tap_lanes *dw,
                                  const float *restrict dy, size_t dyRow, const float *restrict x,
                                  size_t xRow, const struct tap_lanes *w, fk_range rows, size_t documentRows,
                                  const int accumulate) {
    fk_lanes x0, x1, x2, du0 = {0}, du1 = {0}, du2 = {0};
    load_before(&x0, x, xRow, NULL, 0, rows.begin, 3);
    load_before(&x1, x, xRow, NULL, 0, rows.begin, 2);
    load_before(&x2, x, xRow, NULL, 0, rows.begin, 1);
    // Three rows after this piece still reach back into it through their taps.
    for (size_t t = rows.begin; t < rows.end + fourTaps - 1; ++t) {
        fk_lanes du3 = {0};
        if (t < documentRows) {
            fk_lanes x3 = FK_CONST_LANES(x + t * xRow);
            fk_lanes u = w->bias + w->w0 * x0 + w->w1 * x1 + w->w2 * x2 + w->w3 * x3, sigmoid = u;
            fk_lanes_sigmoid(&sigmoid);
            du3 = FK_CONST_LANES(dy + t * dyRow) * (sigmoid * (1.0f + u * (1.0f - sigmoid)));
            if (t < rows.end) {
                dw->w0 += du3 * x0;
                dw->w1 += du3 * x1;
                dw->w2 += du3 * x2;
                dw->w3 += du3 * x3;
                dw->bias += du3;
            }
            x0 = x1, x1 = x2, x2 = x3;
        }
        if (t + 1 >= rows.begin + fourTaps) {
            fk_lanes own = w->w0 * du3 + w->w1 * du2 + w->w2 * du1 + w->w3 * du0;
            fk_lanes *target = &FK_LANES(dx + (t + 1 - fourTaps) * dxRow);
            *target = accumulate ? *target + own : own;
        }
        du0 = du1, du1 = du2, du2 = du3;
    }
}

// y = silu(u)
FK_INLINE void silu_row(float *restrict y, const float *restrict u, size_t count) {
    for (size_t c = 0; c < count; ++c) y[c] = fk_silu(u[c]);
}

// From u to its gradient, du = dy silu'(u), in place.
FK_INLINE void silu_row_backward(float *restrict u, const float *restrict dy, size_t count) {
    for (size_t c = 0; c < count; ++c) u[c] = dy[c] * fk_silu_derivative(u[c]);
}

FK_INLINE void add_row(float *restrict sum, const float *restrict row, size_t count) {
    for (size_t c = 0; c < count; ++c) sum[c] += row[c];
}

size_t fk_conv1d_silu_forward_scratch_floats(void) { return channelBlock; }

FK_KERNEL void fk_conv1d_silu_forward(fk_rows y, fk_conv1d_inputs inputs, fk_conv1d_sizes sizes,
                                      fk_range rows, float *restrict scratch) {
    float *u = scratch;
    size_t begin = 0, channels = sizes.channels;
    for (; sizes.tapCount == fourTaps && begin + laneCount <= channels; begin += laneCount) {
        struct tap_lanes w;
        load_taps(&w, inputs.taps + begin, inputs.bias + begin, channels);
        four_taps_forward(y.first + begin, y.stride, inputs.x.first + begin, inputs.x.stride,
                          inputs.history ? inputs.history + begin : NULL, &w, rows, channels);
    }
    for (; begin < channels; begin += channelBlock) {
        size_t count = channels - begin < channelBlock ? channels - begin : channelBlock;
        for (size_t t = rows.begin; t < rows.end; ++t) {
            preactivation(u, &inputs, &sizes, begin, count, t);
            silu_row(y.first + t * y.stride + begin, u, count);
        }
    }
}

size_t fk_conv1d_silu_backward_scratch_floats(size_t tapCount) { return channelBlock * tapCount; }

FK_KERNEL void fk_conv1d_silu_backward(fk_conv1d_gradients gradients, fk_const_rows dy,
                                       fk_conv1d_inputs inputs, fk_conv1d_sizes sizes, fk_range rows,
                                       float *restrict scratch) {
    fk_rows dx = gradients.x;
    fk_const_rows x = inputs.x;
    size_t begin = 0, channels = sizes.channels, tapCount = sizes.tapCount;
    for (; tapCount == fourTaps && begin + laneCount <= channels; begin += laneCount) {
        struct tap_lanes w, dw;
        load_taps(&w, inputs.taps + begin, inputs.bias + begin, channels);
        load_taps(&dw, gradients.taps + begin, gradients.bias + begin, channels);
        if (gradients.accumulate) {
            four_taps_backward(dx.first + begin, dx.stride, &dw, dy.first + begin, dy.stride, x.first + begin,
                               x.stride, &w, rows, sizes.rows, 1);
        } else {
            four_taps_backward(dx.first + begin, dx.stride, &dw, dy.first + begin, dy.stride, x.first + begin,
                               x.stride, &w, rows, sizes.rows, 0);
        }
        store_taps(gradients.taps + begin, gradients.bias + begin, &dw, channels);
    }
    float *ring = scratch;  // du of the latest rows, one for each tap
    // Rows after this piece still reach back into it through their taps.
    size_t last = rows.end + tapCount - 1;
    for (; begin < channels; begin += channelBlock) {
        size_t count = channels - begin < channelBlock ? channels - begin : channelBlock;
        for (size_t t = rows.begin; t < last; ++t) {
            float *du = ring + t % tapCount * channelBlock;
            if (t < sizes.rows) {
                preactivation(du, &inputs, &sizes, begin, count, t);
                silu_row_backward(du, dy.first + t * dy.stride + begin, count);
            } else {
                memset(du, 0, count * sizeof(float));
            }
            if (t < rows.end) {
                add_row(gradients.bias + begin, du, count);
                for (size_t k = t + 1 < tapCount ? tapCount - 1 - t : 0; k < tapCount; ++k) {
                    const float *row = x.first + (t + k + 1 - tapCount) * x.stride + begin;
                    add_products(gradients.taps + k * channels + begin, du, row, count);
                }
            }
            if (t + 1 < rows.begin + tapCount) continue;
            size_t source = t + 1 - tapCount;  // the row whose reach ends here
            float *target = dx.first + source * dx.stride + begin;
            if (!gradients.accumulate) memset(target, 0, count * sizeof(float));
            for (size_t k = 0; k < tapCount; ++k) {
                const float *reach = ring + (t - k) % tapCount * channelBlock;
                add_products(target, inputs.taps + k * channels + begin, reach, count);
            }
        }
    }
}

FK_KERNEL void fk_conv1d_silu_reduce(float *restrict dweight, float *restrict dbias,
                                     const float *restrict parts, size_t partCount,
                                     const float *restrict scale, fk_range channels, size_t channelCount,
                                     size_t tapCount) {
    for (size_t c = channels.begin; c < channels.end; ++c) {
        for (size_t k = 0; k <= tapCount; ++k) {
            double sum = 0.0;
            for (size_t p = 0; p < partCount; ++p) sum += parts[(p * (tapCount + 1) + k) * channelCount + c];
            if (k < tapCount) {
                dweight[c * tapCount + k] += (float)(sum * scale[c]);
            } else {
                dbias[c] += (float)sum;
            }
        }
    }
}
