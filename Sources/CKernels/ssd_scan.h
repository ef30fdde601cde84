#pragma once
// Shared by the two halves of the SSD scan; not part of the kernels' interface.
#include "fk_common.h"
#include "lanes.h"

// Columns of all heads that go into one product: whole heads, about as many as the caches hold.
FK_INLINE size_t fk_ssd_block_width(size_t headSize) {
    enum { wanted = 128 };
    return headSize >= wanted ? headSize : wanted / headSize * headSize;
}

// A row of a chunk's square matrices, in whole vectors.
FK_INLINE size_t ssd_row_stride(size_t rows) { return (rows + laneCount - 1) / laneCount * laneCount; }

// The decay between two rows, the later first. A decay is a sum and its part lost in rounding: near the
// diagonal the difference of two long sums must not lose the small rest. For floats and for lanes.
#define FK_SSD_EXPONENT(later, laterRest, earlier, earlierRest) \
    (((later) - (earlier)) + ((laterRest) - (earlierRest)))

// Rows that share a pivot. Between a row of a block and one outside, e^(s_i - s_j) is the product of
// e^(s_i - s_pivot) and e^(s_pivot - s_j), one exponential per row instead of one per pair; the pivot lies
// between i and j, so both factors are at most 1. Inside a block each pair has its own exponential.
enum { pivotRows = laneCount };

// weight[t] = e^(decay from row t to the pivot), for rows t before it or at it, times dt[t] when dt is
// given; or, from the pivot to row t, for rows after it.
FK_INLINE void ssd_decay_to(float *restrict weight, const float *restrict s, const float *restrict rest,
                            const float *restrict dt, size_t begin, size_t end, size_t pivot) {
    float own = s[pivot], ownRest = rest[pivot];
    for (size_t t = begin; t < end; ++t) {
        float factor = fk_exp(FK_SSD_EXPONENT(own, ownRest, s[t], rest[t]));
        weight[t] = dt ? factor * dt[t] : factor;
    }
}

FK_INLINE void ssd_decay_from(float *restrict weight, const float *restrict s, const float *restrict rest,
                              size_t begin, size_t end, size_t pivot) {
    float own = s[pivot], ownRest = rest[pivot];
    for (size_t t = begin; t < end; ++t) weight[t] = fk_exp(FK_SSD_EXPONENT(s[t], rest[t], own, ownRest));
}

// weight[t] = e^(decay[t]), or e^(last decay - decay[t]) dt[t] when dt is given.
FK_INLINE void ssd_weights(float *restrict weight, const float *restrict dt, const float *restrict decay,
                           size_t rows) {
    if (!dt) {
        for (size_t t = 0; t < rows; ++t) weight[t] = fk_exp(decay[t]);
        return;
    }
    ssd_decay_to(weight, decay, decay + rows, dt, 0, rows, rows - 1);
}

// target[t] = weight[t] * source[t], rows of `width`.
FK_INLINE void ssd_scale_rows(float *restrict target, size_t targetRow, const float *restrict source,
                              size_t sourceRow, const float *restrict weight, size_t rows, size_t width) {
    for (size_t t = 0; t < rows; ++t) {
        for (size_t p = 0; p < width; ++p) {
            target[t * targetRow + p] = weight[t] * source[t * sourceRow + p];
        }
    }
}
