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

FK_KERNEL void fk_selective_scan_forward(float *restrict y, size_t yRow, float *restrict states,
                                         size_t stateStep, const float *initial, float *final,
                                         size_t stateRow, const float *restrict x, size_t xRow,
                                         const float *restrict delta, size_t deltaRow,
                                         const float *restrict b, size_t bRow, const float *restrict c,
                                         size_t cRow, const float *restrict deltaBias,
                                         const float *restrict rates, const float *restrict d, size_t rows,
                                         size_t channels, size_t stateSize, float *restrict scratch) {
    float *state = scratch, *step = state + stateSize * FK_SCAN_CHANNELS;
    float *own = step + FK_SCAN_ROWS * FK_SCAN_CHANNELS;
    float bias[FK_SCAN_CHANNELS], skip[FK_SCAN_CHANNELS], out[FK_SCAN_CHANNELS];
    scan_copy(bias, deltaBias, 0, 1, channels);
    scan_copy(skip, d, 0, 1, channels);
    if (initial) {
        scan_copy(state, initial, stateRow, stateSize, channels);
    } else {
        memset(state, 0, stateSize * FK_SCAN_CHANNELS * sizeof(float));
    }
    for (size_t first = 0; first < rows; first += FK_SCAN_ROWS) {
        size_t count = rows - first < FK_SCAN_ROWS ? rows - first : FK_SCAN_ROWS;
        if (states && first > 0) {
            memcpy(states + (first / FK_SCAN_ROWS - 1) * stateStep, state,
                   stateSize * FK_SCAN_CHANNELS * sizeof(float));
        }
        scan_steps(step, NULL, delta + first * deltaRow, deltaRow, bias, count, channels);
        scan_copy(own, x + first * xRow, xRow, count, channels);
        for (size_t t = 0; t < count; ++t) {
            size_t row = first + t;
            if (row + FK_SCAN_ROWS < rows) {
                scan_prefetch(x + (row + FK_SCAN_ROWS) * xRow);
                scan_prefetch(delta + (row + FK_SCAN_ROWS) * deltaRow);
            }
            scan_row(out, state, own + t * FK_SCAN_CHANNELS, step + t * FK_SCAN_CHANNELS, b + row * bRow,
                     c + row * cRow, skip, rates, stateSize);
            scan_store(y + row * yRow, out, channels, 0);
        }
    }
    for (size_t n = 0; n < stateSize && final; ++n) {
        scan_store(final + n * stateRow, state + n * FK_SCAN_CHANNELS, channels, 0);
    }
}
