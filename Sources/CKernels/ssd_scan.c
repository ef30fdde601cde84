// The Mamba-2 scan (state-space duality), chunked, forward (Dao and Gu 2024, section 6).
//
// Per head, with s the sum of a_t = A dt_t from the chunk's first row on:
//   y_i = sum_{j<=i} <C_i, B_j> e^(s_i - s_j) dt_j x_j + e^(s_i) H_prev C_i + D x_i
//   H   = e^(s_last) H_prev + sum_j e^(s_last - s_j) dt_j x_j B_j^T
// A state is kept as [stateSize, heads * headSize], so that all heads of a group take part in one
// product with B or C. Calls handle one group; the caller offsets pointers to its heads and columns.
#include "ssd_scan.h"
#include "tile_product.h"

enum { oneRowBlock = 64 };  // channels whose outputs stay in registers

// The steps dt [rows] and decays [2, rows] of a head, from dtRaw dtRow apart; returns the whole decay.
FK_INLINE double head_steps(float *restrict dt, float *restrict decay, const float *restrict dtRaw,
                            size_t dtRow, size_t rows, float scale, float bias, double a) {
    float *s = decay, *rest = decay + rows;
    for (size_t t = 0; t < rows; ++t) s[t] = dtRaw[t * dtRow] * scale + bias;
    for (size_t t = 0; t < rows; ++t) dt[t] = fk_softplus(s[t]);
    double sum = 0.0;
    for (size_t t = 0; t < rows; ++t) {
        sum += dt[t] * a;
        s[t] = (float)sum;
        rest[t] = (float)(sum - s[t]);
    }
    return sum;
}

FK_KERNEL void fk_ssd_steps(float *restrict dt, float *restrict decay, float *restrict total,
                            fk_ssd_step_inputs inputs, size_t rows, size_t heads) {
    for (size_t h = 0; h < heads; ++h) {
        double sum =
            head_steps(dt + h * rows, decay + 2 * h * rows, inputs.dtRaw.first + h, inputs.dtRaw.stride, rows,
                       inputs.dtScale, inputs.dtBias[h], -exp(inputs.aLog[h]));
        total[h] = (float)exp(sum);
    }
}

size_t fk_ssd_states_scratch_floats(size_t rows, size_t headSize) {
    return rows * fk_ssd_block_width(headSize) + rows;
}

// state = matrix^T (weight * values), the weights of a head being e^(decay), or
// e^(last decay - decay) dt when dt is given.
FK_INLINE void chunk_states(fk_rows state, const float *dt, const float *decay, fk_const_rows values,
                            fk_const_rows matrix, const fk_ssd_sizes *sizes, unsigned tiles, float *scratch) {
    size_t rows = sizes->rows, heads = sizes->heads, headSize = sizes->headSize;
    size_t blockHeads = fk_ssd_block_width(headSize) / headSize;
    float *weighted = scratch, *weight = scratch + rows * blockHeads * headSize;
    for (size_t h0 = 0; h0 < heads; h0 += blockHeads) {
        size_t count = heads - h0 < blockHeads ? heads - h0 : blockHeads, columns = count * headSize;
        for (size_t h = h0; h < h0 + count; ++h) {
            ssd_weights(weight, dt ? dt + h * rows : NULL, decay + 2 * h * rows, rows);
            ssd_scale_rows(weighted + (h - h0) * headSize, columns, values.first + h * headSize,
                           values.stride, weight, rows, headSize);
        }
        fk_tile_product(fk_part(state, 0, h0 * headSize), fk_transposed(matrix),
                        fk_as_is((fk_const_rows){weighted, columns}), sizes->stateSize, columns, rows, tiles);
    }
}

FK_KERNEL void fk_ssd_chunk_states(fk_rows state, const float *restrict dt, const float *restrict decay,
                                   fk_const_rows x, fk_const_rows b, fk_ssd_sizes sizes, unsigned tiles,
                                   float *restrict scratch) {
    chunk_states(state, dt, decay, x, b, &sizes, tiles, scratch);
}

FK_KERNEL void fk_ssd_chunk_state_gradients(fk_rows dstate, fk_const_rows dy, const float *restrict decay,
                                            fk_const_rows c, fk_ssd_sizes sizes, unsigned tiles,
                                            float *restrict scratch) {
    chunk_states(dstate, NULL, decay, dy, c, &sizes, tiles, scratch);
}

FK_INLINE void add_scaled(float *restrict target, const float *restrict source, size_t count, float factor) {
    for (size_t p = 0; p < count; ++p) target[p] += factor * source[p];
}

FK_KERNEL void fk_ssd_pass_states(float *restrict states, const float *restrict initial,
                                  const float *restrict total, fk_ssd_chain chain, fk_range rows,
                                  size_t heads, size_t headSize) {
    size_t width = heads * headSize;
    for (size_t n = rows.begin; n < rows.end; ++n) {
        const float *carry = initial ? initial + n * width : NULL;
        for (ptrdiff_t k = 0; k < (ptrdiff_t)chain.count; ++k) {
            float *row = states + k * chain.stateStep + n * width;
            for (size_t h = 0; h < heads && carry; ++h) {
                float factor = total[k * chain.totalStep + (ptrdiff_t)h];
                add_scaled(row + h * headSize, carry + h * headSize, headSize, factor);
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

// y = weight y + d x, or d x without weights: the share of a head's rows from the state before the chunk
// and from the skip.
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

FK_KERNEL void fk_ssd_outputs(fk_rows y, fk_ssd_saved saved, fk_ssd_inputs inputs, fk_ssd_sizes sizes,
                              unsigned tiles, float *restrict scratch) {
    size_t rows = sizes.rows, heads = sizes.heads, headSize = sizes.headSize, stateSize = sizes.stateSize;
    size_t stride = ssd_row_stride(rows), blockHeads = fk_ssd_block_width(headSize) / headSize;
    float *products = scratch, *mixing = products + rows * stride;
    float *weight = mixing + rows * stride;
    // Copies whose last vector is whole.
    float *s = weight + stride, *rest = s + stride, *step = rest + stride;
    fk_matrix c = fk_as_is(inputs.c), mixed = fk_as_is((fk_const_rows){mixing, stride});
    int hasPrevious = saved.previous.first != NULL;
    memset(mixing, 0, rows * stride * sizeof(float));
    memset(s, 0, 3 * stride * sizeof(float));
    fk_tile_product((fk_rows){products, stride}, c, fk_transposed(inputs.b), rows, rows, stateSize,
                    tiles | FK_TILE_C_LOWER);
    for (size_t h0 = 0; h0 < heads; h0 += blockHeads) {
        size_t count = heads - h0 < blockHeads ? heads - h0 : blockHeads;
        if (hasPrevious) {
            fk_const_rows previous = fk_const_part(saved.previous, 0, h0 * headSize);
            fk_tile_product(fk_part(y, 0, h0 * headSize), c, fk_as_is(previous), rows, count * headSize,
                            stateSize, tiles);
        }
        for (size_t h = h0; h < h0 + count; ++h) {
            fk_rows head = fk_part(y, 0, h * headSize);
            fk_const_rows x = fk_const_part(inputs.x, 0, h * headSize);
            memcpy(s, saved.decay + 2 * h * rows, rows * sizeof(float));
            memcpy(rest, saved.decay + (2 * h + 1) * rows, rows * sizeof(float));
            memcpy(step, saved.dt + h * rows, rows * sizeof(float));
            if (hasPrevious) ssd_weights(weight, NULL, s, rows);
            add_skip(head.first, head.stride, x.first, x.stride, hasPrevious ? weight : NULL, inputs.d[h],
                     rows, headSize);
            mix_rows(mixing, products, s, rest, step, weight, rows, stride);
            fk_tile_product(head, mixed, fk_as_is(x), rows, headSize, rows,
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

// Some channels of a head: kept = keep, in = step x, y = d x.
FK_INLINE void begin_channels(float *restrict y, float *restrict kept, float *restrict in,
                              const float *restrict x, size_t count, float keep, float step, float d) {
    for (size_t i = 0; i < count; ++i) {
        kept[i] = keep;
        in[i] = step * x[i];
        y[i] = d * x[i];
    }
}

FK_KERNEL void fk_ssd_one_row(float *restrict y, fk_rows state, fk_ssd_inputs inputs,
                              fk_ssd_step_inputs steps, fk_ssd_sizes sizes) {
    float kept[oneRowBlock], in[oneRowBlock];
    float step = 0.0f, keep = 0.0f;
    const float *x = inputs.x.first, *b = inputs.b.first, *c = inputs.c.first;
    size_t headSize = sizes.headSize, stateSize = sizes.stateSize, width = sizes.heads * headSize;
    size_t h = 0, left = 0;  // heads begun, and channels left of the last of them
    for (size_t first = 0; first < width; first += oneRowBlock) {
        size_t count = width - first < oneRowBlock ? width - first : oneRowBlock;
        for (size_t i = 0; i < count;) {
            if (left == 0) {
                step = fk_softplus(steps.dtRaw.first[h] * steps.dtScale + steps.dtBias[h]);
                keep = expf(step * -expf(steps.aLog[h++]));
                left = headSize;
            }
            size_t now = left < count - i ? left : count - i;
            begin_channels(y + first + i, kept + i, in + i, x + first + i, now, keep, step, inputs.d[h - 1]);
            left -= now;
            i += now;
        }
        float *target = state.first + first;
        if (count == oneRowBlock) {
            move_channels(y + first, target, kept, in, b, c, stateSize, state.stride, oneRowBlock);
        } else {
            move_channels(y + first, target, kept, in, b, c, stateSize, state.stride, count);
        }
    }
}
