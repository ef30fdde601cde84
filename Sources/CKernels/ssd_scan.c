// The Mamba-2 scan (state-space duality), chunked, forward (Dao and Gu 2024, section 6).
//
// Per head, with s the sum of a_t = A dt_t from the chunk's first row on:
//   y_i = sum_{j<=i} <C_i, B_j> e^(s_i - s_j) dt_j x_j + e^(s_i) H_prev C_i + D x_i
//   H   = e^(s_last) H_prev + sum_j e^(s_last - s_j) dt_j x_j B_j^T
// A state is kept as [stateSize, heads * headSize], so that all heads of a group take part in one
// product with B or C. Calls handle one group; the caller offsets pointers to its heads and columns.
#include "fk_common.h"
#include "fk_sequence.h"
#include "ssd_scan.h"

enum { oneRowBlock = 64 };  // channels whose outputs stay in registers

FK_KERNEL void fk_ssd_steps(float *restrict dt, float *restrict decay, float *restrict total,
                            const float *restrict dtRaw, size_t dtRow, const float *restrict dtBias,
                            const float *restrict aLog, size_t rows, size_t heads, float dtScale) {
    for (size_t h = 0; h < heads; ++h) {
        float *restrict step = dt + h * rows;
        float *restrict s = decay + 2 * h * rows, *restrict rest = s + rows;
        float bias = dtBias[h];
        for (size_t t = 0; t < rows; ++t) s[t] = dtRaw[t * dtRow + h] * dtScale + bias;
        for (size_t t = 0; t < rows; ++t) step[t] = fk_softplus(s[t]);
        double a = -exp(aLog[h]), sum = 0.0;
        for (size_t t = 0; t < rows; ++t) {
            sum += step[t] * a;
            s[t] = (float)sum;
            rest[t] = (float)(sum - s[t]);
        }
        total[h] = (float)exp(sum);
    }
}

size_t fk_ssd_states_scratch_floats(size_t rows, size_t headSize) {
    return rows * fk_ssd_block_width(headSize) + rows;
}

// state (+)= matrix^T (weight * values), the weights of a head being e^(decay), or
// e^(last decay - decay) dt when dt is given.
FK_INLINE void chunk_states(float *restrict state, size_t stateRow, const float *restrict values,
                            size_t valuesRow, const float *restrict matrix, size_t matrixRow,
                            const float *restrict dt, const float *restrict decay, size_t rows, size_t heads,
                            size_t headSize, size_t stateSize, unsigned tiles, float *restrict scratch) {
    size_t blockHeads = fk_ssd_block_width(headSize) / headSize;
    float *weighted = scratch, *weight = scratch + rows * blockHeads * headSize;
    for (size_t h0 = 0; h0 < heads; h0 += blockHeads) {
        size_t count = heads - h0 < blockHeads ? heads - h0 : blockHeads;
        for (size_t h = h0; h < h0 + count; ++h) {
            ssd_weights(weight, dt ? dt + h * rows : NULL, decay + 2 * h * rows, rows);
            ssd_scale_rows(weighted + (h - h0) * headSize, count * headSize, values + h * headSize, valuesRow,
                           weight, rows, headSize);
        }
        fk_tile_product(state + h0 * headSize, stateRow, matrix, 1, matrixRow, weighted, count * headSize, 1,
                        stateSize, count * headSize, rows, tiles);
    }
}

FK_KERNEL void fk_ssd_chunk_states(float *restrict state, size_t stateRow, const float *restrict x,
                                   size_t xRow, const float *restrict b, size_t bRow,
                                   const float *restrict dt, const float *restrict decay, size_t rows,
                                   size_t heads, size_t headSize, size_t stateSize, unsigned tiles,
                                   float *restrict scratch) {
    chunk_states(state, stateRow, x, xRow, b, bRow, dt, decay, rows, heads, headSize, stateSize, tiles,
                 scratch);
}

FK_KERNEL void fk_ssd_chunk_state_gradients(float *restrict dstate, size_t stateRow, const float *restrict dy,
                                            size_t dyRow, const float *restrict c, size_t cRow,
                                            const float *restrict decay, size_t rows, size_t heads,
                                            size_t headSize, size_t stateSize, unsigned tiles,
                                            float *restrict scratch) {
    chunk_states(dstate, stateRow, dy, dyRow, c, cRow, NULL, decay, rows, heads, headSize, stateSize, tiles,
                 scratch);
}

FK_KERNEL void fk_ssd_pass_states(float *restrict states, ptrdiff_t stateStep, const float *restrict initial,
                                  const float *restrict total, ptrdiff_t totalStep, size_t count,
                                  size_t rowBegin, size_t rowEnd, size_t heads, size_t headSize) {
    size_t width = heads * headSize;
    for (size_t n = rowBegin; n < rowEnd; ++n) {
        const float *carry = initial ? initial + n * width : NULL;
        for (ptrdiff_t k = 0; k < (ptrdiff_t)count; ++k) {
            float *row = states + k * stateStep + n * width;
            for (size_t h = 0; h < heads && carry; ++h) {
                float factor = total[k * totalStep + (ptrdiff_t)h];
                float *restrict target = row + h * headSize;
                const float *restrict source = carry + h * headSize;
                for (size_t p = 0; p < headSize; ++p) target[p] += factor * source[p];
            }
            carry = row;
        }
    }
}

size_t fk_ssd_outputs_scratch_floats(size_t rows) { return (2 * rows + 4) * ssd_row_stride(rows); }

// mixing [rows, stride] = products e^(s_i - s_j) dt_j on and below the diagonal; above it, mixing is and
// stays zero. s, rest, dt and `earlier` have `stride` entries, so that vectors may read past `rows`.
FK_INLINE void mix_rows(float *restrict mixing, const float *restrict products, const float *restrict s,
                        const float *restrict rest, const float *restrict dt, float *restrict earlier,
                        size_t rows, size_t stride) {
    for (size_t pivot = 0; pivot < rows; pivot += pivotRows) {
        size_t end = rows - pivot < pivotRows ? rows : pivot + pivotRows;
        ssd_decay_to(earlier, s, rest, dt, 0, pivot, pivot);
        fk_lanes later =
            FK_SSD_EXPONENT(FK_CONST_LANES(s + pivot), FK_CONST_LANES(rest + pivot), s[pivot], rest[pivot]);
        fk_lanes_exp(&later);
        for (size_t i = pivot; i < end; ++i) {
            float *restrict mix = mixing + i * stride;
            const float *restrict product = products + i * stride;
            float fromPivot = later[i - pivot];
            for (size_t j = 0; j < pivot; j += laneCount) {
                FK_LANES(mix + j) = FK_CONST_LANES(product + j) * (FK_CONST_LANES(earlier + j) * fromPivot);
            }
            fk_lanes own =
                FK_SSD_EXPONENT(s[i], rest[i], FK_CONST_LANES(s + pivot), FK_CONST_LANES(rest + pivot));
            fk_lanes_exp(&own);
            own *= FK_CONST_LANES(product + pivot) * FK_CONST_LANES(dt + pivot);
            fk_lanes_keep_first(&own, i - pivot + 1);
            FK_LANES(mix + pivot) = own;
        }
    }
}

// y = weight y + d x, or d x without weights: what a head's rows have from the state before the chunk and
// from the skip.
FK_INLINE void add_skip(float *restrict y, size_t yRow, const float *restrict x, size_t xRow,
                        const float *restrict weight, float d, size_t rows, size_t headSize) {
    for (size_t i = 0; i < rows; ++i) {
        float *restrict target = y + i * yRow;
        const float *restrict source = x + i * xRow;
        if (weight) {
            for (size_t p = 0; p < headSize; ++p) target[p] = target[p] * weight[i] + d * source[p];
        } else {
            for (size_t p = 0; p < headSize; ++p) target[p] = d * source[p];
        }
    }
}

FK_KERNEL void fk_ssd_outputs(float *restrict y, size_t yRow, const float *restrict x, size_t xRow,
                              const float *restrict b, size_t bRow, const float *restrict c, size_t cRow,
                              const float *restrict previous, size_t stateRow, const float *restrict dt,
                              const float *restrict decay, const float *restrict d, size_t rows, size_t heads,
                              size_t headSize, size_t stateSize, unsigned tiles, float *restrict scratch) {
    size_t stride = ssd_row_stride(rows), blockHeads = fk_ssd_block_width(headSize) / headSize;
    float *products = scratch, *mixing = products + rows * stride;
    float *weight = mixing + rows * stride;
    // Copies whose last vector is whole.
    float *s = weight + stride, *rest = s + stride, *step = rest + stride;
    memset(mixing, 0, rows * stride * sizeof(float));
    memset(s, 0, 3 * stride * sizeof(float));
    fk_tile_product(products, stride, c, cRow, 1, b, 1, bRow, rows, rows, stateSize, tiles | FK_TILE_C_LOWER);
    for (size_t h0 = 0; h0 < heads; h0 += blockHeads) {
        size_t count = heads - h0 < blockHeads ? heads - h0 : blockHeads;
        if (previous) {
            fk_tile_product(y + h0 * headSize, yRow, c, cRow, 1, previous + h0 * headSize, stateRow, 1, rows,
                            count * headSize, stateSize, tiles);
        }
        for (size_t h = h0; h < h0 + count; ++h) {
            float *head = y + h * headSize;
            const float *xHead = x + h * headSize;
            memcpy(s, decay + 2 * h * rows, rows * sizeof(float));
            memcpy(rest, decay + (2 * h + 1) * rows, rows * sizeof(float));
            memcpy(step, dt + h * rows, rows * sizeof(float));
            if (previous) ssd_weights(weight, NULL, s, rows);
            add_skip(head, yRow, xHead, xRow, previous ? weight : NULL, d[h], rows, headSize);
            mix_rows(mixing, products, s, rest, step, weight, rows, stride);
            fk_tile_product(head, yRow, mixing, stride, 1, xHead, xRow, 1, rows, headSize, rows,
                            tiles | FK_TILE_ADD | FK_TILE_A_LOWER);
        }
    }
}

// Channels [0, width) of one row, at most 64: state = kept state + b in, y = d x + c state; `width` is a
// constant where it is inlined for whole blocks.
FK_INLINE void move_channels(float *restrict y, float *restrict state, const float *restrict kept,
                             const float *restrict in, const float *restrict b, const float *restrict c,
                             size_t stateSize, size_t stateRow, const size_t width) {
    float out[oneRowBlock];
    for (size_t i = 0; i < width; ++i) out[i] = y[i];
    for (size_t n = 0; n < stateSize; ++n) {
        float *restrict row = state + n * stateRow;
        for (size_t i = 0; i < width; ++i) {
            float value = kept[i] * row[i] + b[n] * in[i];
            row[i] = value;
            out[i] += c[n] * value;
        }
    }
    for (size_t i = 0; i < width; ++i) y[i] = out[i];
}

FK_KERNEL void fk_ssd_one_row(float *restrict y, float *restrict state, const float *restrict x,
                              const float *restrict b, const float *restrict c, const float *restrict dtRaw,
                              const float *restrict dtBias, const float *restrict aLog,
                              const float *restrict d, size_t heads, size_t headSize, size_t stateSize,
                              size_t stateRow, float dtScale) {
    float kept[oneRowBlock], in[oneRowBlock];
    float step = 0.0f, keep = 0.0f;
    size_t width = heads * headSize, h = 0, left = 0;  // heads begun, and channels left of the last of them
    for (size_t first = 0; first < width; first += oneRowBlock) {
        size_t count = width - first < oneRowBlock ? width - first : oneRowBlock;
        for (size_t i = 0; i < count;) {
            if (left == 0) {
                step = fk_softplus(dtRaw[h] * dtScale + dtBias[h]);
                keep = expf(step * -expf(aLog[h++]));
                left = headSize;
            }
            size_t end = left < count - i ? i + left : count;
            left -= end - i;
            for (; i < end; ++i) {
                kept[i] = keep;
                in[i] = step * x[first + i];
                y[first + i] = d[h - 1] * x[first + i];
            }
        }
        if (count == oneRowBlock) {
            move_channels(y + first, state + first, kept, in, b, c, stateSize, stateRow, oneRowBlock);
        } else {
            move_channels(y + first, state + first, kept, in, b, c, stateSize, stateRow, count);
        }
    }
}
