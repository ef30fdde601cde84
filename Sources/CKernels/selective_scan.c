// The Mamba-1 selective scan, forward. The exponentials bound it: one for each row, channel and state.
#include "selective_scan.h"

FK_KERNEL void fk_selective_scan_rates(float *restrict rates, const float *restrict aLog, size_t channels,
                                       size_t stateSize) {
    for (size_t l = 0; l < channels; ++l) {
        // Lanes that are scattered cost more than single floats.
#pragma clang loop vectorize(disable)
        for (size_t n = 0; n < stateSize; ++n) rates[n * FK_SCAN_CHANNELS + l] = aLog[l * stateSize + n];
    }
    for (size_t n = 0; n < stateSize; ++n) {
        float *restrict row = rates + n * FK_SCAN_CHANNELS;
        for (size_t l = channels; l < FK_SCAN_CHANNELS; ++l) row[l] = 0.0f;
        for (size_t l = 0; l < FK_SCAN_CHANNELS; ++l) row[l] = -1.44269504088896341f * fk_exp(row[l]);
        for (size_t l = channels; l < FK_SCAN_CHANNELS; ++l) row[l] = 0.0f;
    }
}

size_t fk_selective_scan_forward_scratch_floats(size_t stateSize) {
    return (stateSize + 2 * FK_SCAN_ROWS) * FK_SCAN_CHANNELS;
}

// One row of a block: moves the state on, and y starts as d x.
FK_INLINE void scan_row(float *restrict y, float *restrict state, const float *restrict x,
                        const float *restrict step, const float *restrict b, const float *restrict c,
                        const float *restrict d, const float *restrict rates, size_t stateSize) {
    fk_lanes steps[scanVectors], in[scanVectors], out[scanVectors];
    FK_UNROLL
    for (size_t v = 0; v < scanVectors; ++v) {
        fk_lanes own = FK_CONST_LANES(x + v * laneCount);
        steps[v] = FK_CONST_LANES(step + v * laneCount);
        in[v] = steps[v] * own;
        out[v] = FK_CONST_LANES(d + v * laneCount) * own;
    }
    for (size_t n = 0; n < stateSize; ++n) {
        float *restrict h = state + n * FK_SCAN_CHANNELS;
        FK_UNROLL
        for (size_t v = 0; v < scanVectors; ++v) {
            fk_lanes kept = steps[v] * FK_CONST_LANES(rates + n * FK_SCAN_CHANNELS + v * laneCount);
            scan_exp2(&kept);
            fk_lanes own = kept * FK_LANES(h + v * laneCount) + in[v] * b[n];
            FK_LANES(h + v * laneCount) = own;
            out[v] += own * c[n];
        }
    }
    FK_UNROLL
    for (size_t v = 0; v < scanVectors; ++v) FK_LANES(y + v * laneCount) = out[v];
}

FK_KERNEL void fk_selective_scan_forward(fk_rows y, fk_rows states, fk_rows final, fk_const_rows initial,
                                         fk_selective_scan_inputs inputs, fk_selective_scan_sizes sizes,
                                         float *restrict scratch) {
    size_t rows = sizes.rows, channels = sizes.channels, stateSize = sizes.stateSize;
    fk_const_rows x = inputs.x, delta = inputs.delta;
    float *state = scratch, *step = state + stateSize * FK_SCAN_CHANNELS;
    float *own = step + FK_SCAN_ROWS * FK_SCAN_CHANNELS;
    float bias[FK_SCAN_CHANNELS], skip[FK_SCAN_CHANNELS], out[FK_SCAN_CHANNELS];
    scan_copy(bias, inputs.deltaBias, 0, 1, channels);
    scan_copy(skip, inputs.d, 0, 1, channels);
    if (initial.first) {
        scan_copy(state, initial.first, initial.stride, stateSize, channels);
    } else {
        memset(state, 0, stateSize * FK_SCAN_CHANNELS * sizeof(float));
    }
    for (size_t first = 0; first < rows; first += FK_SCAN_ROWS) {
        size_t count = rows - first < FK_SCAN_ROWS ? rows - first : FK_SCAN_ROWS;
        if (states.first && first > 0) {
            memcpy(states.first + (first / FK_SCAN_ROWS - 1) * states.stride, state,
                   stateSize * FK_SCAN_CHANNELS * sizeof(float));
        }
        scan_steps(step, NULL, delta.first + first * delta.stride, delta.stride, bias, count, channels);
        scan_copy(own, x.first + first * x.stride, x.stride, count, channels);
        for (size_t t = 0; t < count; ++t) {
            size_t row = first + t;
            if (row + FK_SCAN_ROWS < rows) {
                scan_prefetch(x.first + (row + FK_SCAN_ROWS) * x.stride);
                scan_prefetch(delta.first + (row + FK_SCAN_ROWS) * delta.stride);
            }
            scan_row(out, state, own + t * FK_SCAN_CHANNELS, step + t * FK_SCAN_CHANNELS,
                     inputs.b.first + row * inputs.b.stride, inputs.c.first + row * inputs.c.stride, skip,
                     inputs.rates, stateSize);
            scan_store(y.first + row * y.stride, out, channels, 0);
        }
    }
    for (size_t n = 0; n < stateSize && final.first; ++n) {
        scan_store(final.first + n * final.stride, state + n * FK_SCAN_CHANNELS, channels, 0);
    }
}
