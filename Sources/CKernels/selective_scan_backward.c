// The gradient of the selective scan: chunks from last to first, each of which computes its states again.
//
// With g_t the gradient of h_t, carried back as e^(step_t A) g_t:
//   g_t = C_t dy_t + carry, dC_t = sum_c dy_t h_t, dB_t = sum_c g_t step_t x_t
//   dx_t = d dy_t + step_t sum_n g_t B_t, dstep_t = x_t sum_n g_t B_t + sum_n A w_t, dA = sum_t step_t w_t
// where w_t = e^(step_t A) g_t h_(t-1), zero at the start of a document.
#include "selective_scan.h"

static const float ln2 = 0.693147180559945309f;

// The scratch of a call.
struct scan_chunk {
    float *step, *slope, *x, *dy;  // [FK_SCAN_ROWS, FK_SCAN_CHANNELS]; x and step become their own gradients
    float *states;          // [FK_SCAN_ROWS + 1, stateSize, FK_SCAN_CHANNELS], the one before the chunk first
    float *kept;            // [FK_SCAN_ROWS, stateSize, FK_SCAN_CHANNELS]: e^(step A)
    float *carry, *dRates;  // [stateSize, FK_SCAN_CHANNELS]
};

size_t fk_selective_scan_backward_scratch_floats(size_t stateSize) {
    return (4 * FK_SCAN_ROWS + (2 * FK_SCAN_ROWS + 3) * stateSize) * FK_SCAN_CHANNELS;
}

size_t fk_selective_scan_shared_row(size_t stateSize) {
    return (stateSize + laneCount - 1) / laneCount * laneCount;
}

// Computes the states of a row again, from those of the row before it.
FK_INLINE void states_of_row(const struct scan_chunk *m, size_t t, const float *restrict b,
                             const float *restrict rates, size_t stateSize) {
    size_t width = stateSize * FK_SCAN_CHANNELS;
    const float *restrict before = m->states + t * width;
    float *restrict after = m->states + (t + 1) * width, *restrict kept = m->kept + t * width;
    fk_lanes steps[scanVectors], in[scanVectors];
    FK_UNROLL
    for (size_t v = 0; v < scanVectors; ++v) {
        size_t place = t * FK_SCAN_CHANNELS + v * laneCount;
        steps[v] = FK_CONST_LANES(m->step + place);
        in[v] = steps[v] * FK_CONST_LANES(m->x + place);
    }
    for (size_t n = 0; n < stateSize; ++n) {
        FK_UNROLL
        for (size_t v = 0; v < scanVectors; ++v) {
            size_t place = n * FK_SCAN_CHANNELS + v * laneCount;
            fk_lanes factor = steps[v] * FK_CONST_LANES(rates + place);
            scan_exp2(&factor);
            FK_LANES(kept + place) = factor;
            FK_LANES(after + place) = factor * FK_CONST_LANES(before + place) + in[v] * b[n];
        }
    }
}

// The sum over the lanes of each of 16 vectors, [16, laneCount], in the lanes of one: halves are added,
// then quarters, pairs and single lanes, two vectors becoming one each time.
FK_INLINE void sums_of_lanes(fk_lanes *sums, const float *restrict tile) {
    fk_lanes half[8], quarter[4], pair[2];
    // The pairs of vectors are chosen so that sums end up in order.
    FK_UNROLL
    for (size_t i = 0; i < 8; ++i) {
        // half i holds the vectors first and first + 4.
        size_t first = i / 2 + i % 2 * 8;
        fk_lanes a = FK_CONST_LANES(tile + first * laneCount),
                 b = FK_CONST_LANES(tile + (first + 4) * laneCount);
        half[i] = __builtin_shufflevector(a, b, 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23) +
                  __builtin_shufflevector(a, b, 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31);
    }
    FK_UNROLL
    for (size_t i = 0; i < 4; ++i) {
        // quarter i: vectors i, i + 4, i + 8, i + 12, four lanes each.
        fk_lanes a = half[2 * i], b = half[2 * i + 1];
        quarter[i] =
            __builtin_shufflevector(a, b, 0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19, 24, 25, 26, 27) +
            __builtin_shufflevector(a, b, 4, 5, 6, 7, 12, 13, 14, 15, 20, 21, 22, 23, 28, 29, 30, 31);
    }
    FK_UNROLL
    for (size_t i = 0; i < 2; ++i) {
        fk_lanes a = quarter[2 * i], b = quarter[2 * i + 1];
        pair[i] = __builtin_shufflevector(a, b, 0, 1, 16, 17, 4, 5, 20, 21, 8, 9, 24, 25, 12, 13, 28, 29) +
                  __builtin_shufflevector(a, b, 2, 3, 18, 19, 6, 7, 22, 23, 10, 11, 26, 27, 14, 15, 30, 31);
    }
    fk_lanes a = pair[0], b = pair[1];
    *sums = __builtin_shufflevector(a, b, 0, 2, 16, 18, 4, 6, 20, 22, 8, 10, 24, 26, 12, 14, 28, 30) +
            __builtin_shufflevector(a, b, 1, 3, 17, 19, 5, 7, 21, 23, 9, 11, 25, 27, 13, 15, 29, 31);
}

// The gradients of a row: carry moves back by a row, the row's x and step become their gradients.
FK_INLINE void gradients_of_row(const struct scan_chunk *m, size_t t, float *restrict dbc,
                                float *restrict ddTotal, const float *restrict b, const float *restrict c,
                                const float *restrict rates, const float *restrict d, size_t stateSize,
                                const int addShared) {
    size_t width = stateSize * FK_SCAN_CHANNELS, sharedRow = fk_selective_scan_shared_row(stateSize);
    const float *restrict before = m->states + t * width, *restrict after = before + width;
    const float *restrict kept = m->kept + t * width;
    float *restrict carry = m->carry, *restrict dRates = m->dRates;
    float *x = m->x + t * FK_SCAN_CHANNELS, *step = m->step + t * FK_SCAN_CHANNELS;
    const float *dy = m->dy + t * FK_SCAN_CHANNELS;
    float toB[laneCount * laneCount], toC[laneCount * laneCount];
    fk_lanes steps[scanVectors], in[scanVectors], out[scanVectors], toIn[scanVectors], toStep[scanVectors];
    FK_UNROLL
    for (size_t v = 0; v < scanVectors; ++v) {
        steps[v] = FK_LANES(step + v * laneCount);
        in[v] = steps[v] * FK_LANES(x + v * laneCount);
        out[v] = FK_CONST_LANES(dy + v * laneCount);
        toIn[v] = toStep[v] = (fk_lanes){0};
    }
    for (size_t n0 = 0; n0 < stateSize; n0 += laneCount) {
        size_t count = stateSize - n0 < laneCount ? stateSize - n0 : laneCount;
        for (size_t i = 0; i < count; ++i) {
            size_t n = n0 + i;
            fk_lanes shareB = {0}, shareC = {0};
            FK_UNROLL
            for (size_t v = 0; v < scanVectors; ++v) {
                size_t place = n * FK_SCAN_CHANNELS + v * laneCount;
                fk_lanes g = out[v] * c[n] + FK_LANES(carry + place);
                fk_lanes back = g * FK_CONST_LANES(kept + place);
                fk_lanes toRate = back * FK_CONST_LANES(before + place);
                FK_LANES(carry + place) = back;
                FK_LANES(dRates + place) += toRate * steps[v];
                toStep[v] += toRate * FK_CONST_LANES(rates + place);
                toIn[v] += g * b[n];
                shareB += g * in[v];
                shareC += out[v] * FK_CONST_LANES(after + place);
            }
            FK_LANES(toB + i * laneCount) = shareB;
            FK_LANES(toC + i * laneCount) = shareC;
        }
        for (size_t i = count; i < laneCount; ++i) {
            FK_LANES(toB + i * laneCount) = FK_LANES(toC + i * laneCount) = (fk_lanes){0};
        }
        fk_lanes sumB, sumC;
        sums_of_lanes(&sumB, toB);
        sums_of_lanes(&sumC, toC);
        float *rowB = dbc + n0, *rowC = rowB + sharedRow;
        FK_LANES(rowB) = addShared ? FK_LANES(rowB) + sumB : sumB;
        FK_LANES(rowC) = addShared ? FK_LANES(rowC) + sumC : sumC;
    }
    FK_UNROLL
    for (size_t v = 0; v < scanVectors; ++v) {
        fk_lanes own = FK_LANES(x + v * laneCount);
        FK_LANES(ddTotal + v * laneCount) += out[v] * own;
        FK_LANES(x + v * laneCount) = FK_CONST_LANES(d + v * laneCount) * out[v] + steps[v] * toIn[v];
        FK_LANES(step + v * laneCount) = own * toIn[v] + ln2 * toStep[v];
    }
}

FK_INLINE void add(float *restrict sum, const float *restrict part, size_t count) {
    for (size_t i = 0; i < count; ++i) sum[i] += part[i];
}

FK_KERNEL void fk_selective_scan_backward(fk_selective_scan_gradients gradients, fk_const_rows dy,
                                          fk_const_rows states, fk_selective_scan_inputs inputs,
                                          fk_selective_scan_sizes sizes, float *restrict scratch) {
    enum { block = FK_SCAN_ROWS * FK_SCAN_CHANNELS };
    size_t rows = sizes.rows, channels = sizes.channels, stateSize = sizes.stateSize;
    fk_rows dx = gradients.x, ddelta = gradients.delta;
    fk_const_rows x = inputs.x, delta = inputs.delta;
    float *totals = gradients.totals;
    size_t width = stateSize * FK_SCAN_CHANNELS, bcRow = 2 * fk_selective_scan_shared_row(stateSize);
    struct scan_chunk m = {.step = scratch, .slope = scratch + block};
    m.x = m.slope + block;
    m.dy = m.x + block;
    m.states = m.dy + block;
    m.kept = m.states + (FK_SCAN_ROWS + 1) * width;
    m.carry = m.kept + FK_SCAN_ROWS * width;
    m.dRates = m.carry + width;
    float bias[FK_SCAN_CHANNELS], skip[FK_SCAN_CHANNELS];
    float biasTotal[FK_SCAN_CHANNELS], skipTotal[FK_SCAN_CHANNELS];
    scan_copy(bias, inputs.deltaBias, 0, 1, channels);
    scan_copy(skip, inputs.d, 0, 1, channels);
    memset(m.carry, 0, width * sizeof(float));
    for (size_t left = (rows - 1) / FK_SCAN_ROWS + 1; left > 0; --left) {
        size_t first = (left - 1) * FK_SCAN_ROWS;
        size_t count = rows - first < FK_SCAN_ROWS ? rows - first : FK_SCAN_ROWS;
        scan_steps(m.step, m.slope, delta.first + first * delta.stride, delta.stride, bias, count, channels);
        scan_copy(m.x, x.first + first * x.stride, x.stride, count, channels);
        scan_copy(m.dy, dy.first + first * dy.stride, dy.stride, count, channels);
        if (first > 0) {
            memcpy(m.states, states.first + (left - 2) * states.stride, width * sizeof(float));
        } else {
            memset(m.states, 0, width * sizeof(float));
        }
        for (size_t t = 0; t < count; ++t) {
            states_of_row(&m, t, inputs.b.first + (first + t) * inputs.b.stride, inputs.rates, stateSize);
        }
        // Sums over many rows are sums of sums over chunks, so that they stay exact.
        memset(m.dRates, 0, width * sizeof(float));
        memset(biasTotal, 0, sizeof biasTotal);
        memset(skipTotal, 0, sizeof skipTotal);
        for (size_t t = count; t-- > 0;) {
            size_t row = first + t;
            if (first > 0) {
                scan_prefetch(x.first + (row - FK_SCAN_ROWS) * x.stride);
                scan_prefetch(delta.first + (row - FK_SCAN_ROWS) * delta.stride);
                scan_prefetch(dy.first + (row - FK_SCAN_ROWS) * dy.stride);
            }
            float *bc = gradients.bc + row * bcRow;
            const float *b = inputs.b.first + row * inputs.b.stride;
            const float *c = inputs.c.first + row * inputs.c.stride;
            if (gradients.addShared) {
                gradients_of_row(&m, t, bc, skipTotal, b, c, inputs.rates, skip, stateSize, 1);
            } else {
                gradients_of_row(&m, t, bc, skipTotal, b, c, inputs.rates, skip, stateSize, 0);
            }
        }
        for (size_t t = 0; t < count; ++t) {
            size_t row = first + t;
            float *restrict toStep = m.step + t * FK_SCAN_CHANNELS;
            const float *restrict slope = m.slope + t * FK_SCAN_CHANNELS;
            for (size_t l = 0; l < FK_SCAN_CHANNELS; ++l) {
                toStep[l] *= slope[l];
                biasTotal[l] += toStep[l];
            }
            scan_store(dx.first + row * dx.stride, m.x + t * FK_SCAN_CHANNELS, channels,
                       gradients.accumulate);
            scan_store(ddelta.first + row * ddelta.stride, toStep, channels, gradients.accumulate);
        }
        add(totals, m.dRates, width);
        add(totals + width, biasTotal, FK_SCAN_CHANNELS);
        add(totals + width + FK_SCAN_CHANNELS, skipTotal, FK_SCAN_CHANNELS);
    }
}

FK_KERNEL void fk_selective_scan_finish(float *restrict daLog, float *restrict ddeltaBias, float *restrict dd,
                                        const float *restrict totals, const float *restrict rates,
                                        size_t channels, size_t stateSize) {
    for (size_t l = 0; l < channels; ++l) {
        for (size_t n = 0; n < stateSize; ++n) {
            size_t place = n * FK_SCAN_CHANNELS + l;
            daLog[l * stateSize + n] = totals[place] * (ln2 * rates[place]);
        }
        ddeltaBias[l] = totals[stateSize * FK_SCAN_CHANNELS + l];
        dd[l] = totals[(stateSize + 1) * FK_SCAN_CHANNELS + l];
    }
}

FK_KERNEL void fk_selective_scan_share(fk_rows db, fk_rows dc, fk_const_rows shares, size_t parts,
                                       size_t rows, size_t stateSize, int accumulate) {
    size_t sharedRow = fk_selective_scan_shared_row(stateSize);
    for (size_t t = 0; t < rows; ++t) {
        for (size_t n0 = 0; n0 < stateSize; n0 += laneCount) {
            const float *own = shares.first + t * 2 * sharedRow + n0;
            fk_lanes sumB = {0}, sumC = {0};
            for (size_t p = 0; p < parts; ++p) {
                sumB += FK_CONST_LANES(own + p * shares.stride);
                sumC += FK_CONST_LANES(own + p * shares.stride + sharedRow);
            }
            size_t count = stateSize - n0 < laneCount ? stateSize - n0 : laneCount;
            float *toB = db.first + t * db.stride + n0, *toC = dc.first + t * dc.stride + n0;
            for (size_t i = 0; i < count; ++i) {
                toB[i] = accumulate ? toB[i] + sumB[i] : sumB[i];
                toC[i] = accumulate ? toC[i] + sumC[i] : sumC[i];
            }
        }
    }
}
