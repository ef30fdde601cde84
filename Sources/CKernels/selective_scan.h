#pragma once
// Shared by the two halves of the selective scan; not part of the kernels' interface.
//
// Channels lie in lanes, a block of FK_SCAN_CHANNELS at a time, and states are [stateSize, channels]: the
// recurrence needs no sum over lanes and no whole vectors of states. Rows of a chunk are copied into
// whole blocks first; the lanes past the last channel hold zeros.
#include "fk_common.h"
#include "fk_scan.h"
#include "lanes.h"

enum { scanVectors = FK_SCAN_CHANNELS / laneCount };

#define FK_UNROLL _Pragma("clang loop unroll(full)")

// x = 2^x for x <= 0, within 1.9e-7 of its value; 0 below -126.5, NaN stays NaN.
//
// x = n + r, 2^r = 1 + r q(r) with the minimax q of degree 4 (9.2e-8 without rounding, less near 0, where
// decays are multiplied the most often), and 2^n made in the exponent bits, where n = -127 makes 0, as in
// fk_exp. Rates are stored times log2(e), which saves a reduction.
FK_INLINE void scan_exp2(fk_lanes *x) {
    const float magic = 12583039.0f;
    const fk_lanes lowest = (fk_lanes){0} - 127.0f;
    fk_lane_mask low = *x < lowest;
    fk_lanes t = (fk_lanes)(((fk_lane_mask)*x & ~low) | ((fk_lane_mask)lowest & low));
    fk_lanes shifted = t + magic;
    fk_lanes r = t - (shifted - magic);
    fk_lanes p = 1.3264591e-3f * r + 9.671619e-3f;
    p = p * r + 5.550735e-2f;
    p = p * r + 2.4022241e-1f;
    p = p * r + 6.93147e-1f;
    p = p * r + 1.0f;
    *x = p * (fk_lanes)((fk_lane_mask)shifted << 23);
}

// target [rows, FK_SCAN_CHANNELS] = source [rows, channels], zeros past the channels.
FK_INLINE void scan_copy(float *restrict target, const float *restrict source, size_t sourceRow, size_t rows,
                         size_t channels) {
    if (channels < FK_SCAN_CHANNELS) memset(target, 0, rows * FK_SCAN_CHANNELS * sizeof(float));
    for (size_t t = 0; t < rows; ++t) {
        float *restrict to = target + t * FK_SCAN_CHANNELS;
        const float *restrict from = source + t * sourceRow;
        if (channels == FK_SCAN_CHANNELS) {
            FK_UNROLL
            for (size_t l = 0; l < FK_SCAN_CHANNELS; l += laneCount) {
                FK_LANES(to + l) = FK_CONST_LANES(from + l);
            }
        } else {
            for (size_t l = 0; l < channels; ++l) to[l] = from[l];
        }
    }
}

// target [channels] (+)= row [FK_SCAN_CHANNELS].
FK_INLINE void scan_store(float *restrict target, const float *restrict row, size_t channels,
                          const int accumulate) {
    if (channels == FK_SCAN_CHANNELS) {
        FK_UNROLL
        for (size_t l = 0; l < FK_SCAN_CHANNELS; l += laneCount) {
            fk_lanes own = FK_CONST_LANES(row + l);
            FK_LANES(target + l) = accumulate ? FK_LANES(target + l) + own : own;
        }
    } else {
        for (size_t l = 0; l < channels; ++l) target[l] = accumulate ? target[l] + row[l] : row[l];
    }
}

// Asks for a block's row ahead of time: rows are too far apart for the processor to see them coming.
FK_INLINE void scan_prefetch(const float *row) {
    FK_UNROLL
    for (size_t l = 0; l < FK_SCAN_CHANNELS; l += laneCount) __builtin_prefetch(row + l);
}

// step [rows, FK_SCAN_CHANNELS] = softplus(delta + deltaBias), 0 past the channels, and, unless NULL, its
// slope there.
FK_INLINE void scan_steps(float *restrict step, float *restrict slope, const float *restrict delta,
                          size_t deltaRow, const float *restrict bias, size_t rows, size_t channels) {
    scan_copy(step, delta, deltaRow, rows, channels);
    for (size_t t = 0; t < rows; ++t) {
        float *restrict row = step + t * FK_SCAN_CHANNELS;
        for (size_t l = 0; l < FK_SCAN_CHANNELS; ++l) row[l] += bias[l];
        if (slope) {
            float *restrict slopes = slope + t * FK_SCAN_CHANNELS;
            for (size_t l = 0; l < FK_SCAN_CHANNELS; ++l) slopes[l] = fk_sigmoid(row[l]);
        }
        for (size_t l = 0; l < FK_SCAN_CHANNELS; ++l) row[l] = fk_softplus(row[l]);
        for (size_t l = channels; l < FK_SCAN_CHANNELS; ++l) row[l] = 0.0f;
    }
}
