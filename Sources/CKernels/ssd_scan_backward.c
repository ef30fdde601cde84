// The gradient of one chunk of the SSD scan. E is the gradient of the state after the chunk, H the
// state before it. Square matrices are held transposed, [j, i] with i >= j, so that the sums over
// rectangles that make the gradient of the decay run along vectors.
#include "ssd_scan.h"
#include "tile_product.h"

FK_INLINE float dot(const float *restrict a, const float *restrict b, size_t count) {
    FK_REDUCTION
    float sum = 0.0f;
    for (size_t i = 0; i < count; ++i) sum += a[i] * b[i];
    return sum;
}

// A head's square matrices [rows, stride], row j and column i >= j; past the last column they hold zeros.
struct square {
    float *values;          // on entry <x_j, dy_i>, on return <B_j, C_i> e^(s_i - s_j), 0 below the diagonal
    float *dProducts;       // += e^(s_i - s_j) dt_j <x_j, dy_i>
    const float *products;  // <B_j, C_i>
    size_t rows, stride;
};

// One row and 16 columns: `factor` is e^(s_i - s_j). Adds the share of these columns in the rectangle sum
// of row j, over columns i >= j and rows before j, and moves the sums over rows on to the next row.
#define FK_SSD_SQUARE_STEP(values, dProducts, products, factor, dt, rectangle, prefix) \
    do {                                                                               \
        fk_lanes decayed = FK_CONST_LANES(products) * (factor);                        \
        fk_lanes weighted = FK_LANES(values) * (dt);                                   \
        rectangle += prefix;                                                           \
        FK_LANES(dProducts) += (factor)*weighted;                                      \
        FK_LANES(values) = decayed;                                                    \
        prefix += decayed * weighted;                                                  \
    } while (0)

// The square of the diagonal at `pivot`: each pair has its own exponential.
FK_INLINE void square_diagonal(const struct square *m, float *restrict da, float *restrict prefix,
                               const float *restrict s, const float *restrict rest, const float *restrict dt,
                               size_t pivot, size_t end) {
    fk_lanes sums = FK_LANES(prefix + pivot);
    for (size_t j = pivot; j < end; ++j) {
        float *values = m->values + j * m->stride + pivot, *dProducts = m->dProducts + j * m->stride + pivot;
        fk_lanes factor =
            FK_SSD_EXPONENT(FK_CONST_LANES(s + pivot), FK_CONST_LANES(rest + pivot), s[j], rest[j]);
        fk_lanes_exp(&factor);
        // Values left of the diagonal may be anything.
        fk_lanes products = FK_CONST_LANES(m->products + j * m->stride + pivot), rectangle = {0};
        fk_lanes_keep_from(&factor, j - pivot);
        fk_lanes_keep_from(&products, j - pivot);
        fk_lanes_keep_from(&sums, j - pivot);
        fk_lanes_keep_from(&FK_LANES(values), j - pivot);
        FK_SSD_SQUARE_STEP(values, dProducts, &products, factor, dt[j], rectangle, sums);
        da[j] = fk_lanes_sum(&rectangle);
        memset(m->values + j * m->stride, 0, pivot * sizeof(float));
    }
}

// Four rows of a block at its right: columns [begin, stride), e^(s_i - s_j) = later[i] earlier[j].
FK_INLINE void square_rows(const struct square *m, float *restrict da, float *restrict prefix,
                           const float *restrict later, const float *restrict earlier,
                           const float *restrict dt, size_t j, size_t begin, const size_t count) {
    float *values = m->values + j * m->stride, *dProducts = m->dProducts + j * m->stride;
    const float *products = m->products + j * m->stride;
    fk_lanes rectangles[4] = {{0}, {0}, {0}, {0}};
    for (size_t i = begin; i < m->stride; i += laneCount) {
        fk_lanes sums = FK_LANES(prefix + i), fromPivot = FK_CONST_LANES(later + i);
#pragma clang loop unroll(full)
        for (size_t row = 0; row < count; ++row) {
            size_t place = row * m->stride + i;
            fk_lanes factor = fromPivot * earlier[j + row];
            FK_SSD_SQUARE_STEP(values + place, dProducts + place, products + place, factor, dt[j + row],
                               rectangles[row], sums);
        }
        FK_LANES(prefix + i) = sums;
    }
#pragma clang loop unroll(full)
    for (size_t row = 0; row < count; ++row) da[j + row] += fk_lanes_sum(&rectangles[row]);
}

// All of a head's square matrices; da [rows] is written: the rectangle sums. Returns the sum of the
// diagonal <x_j, dy_j>. prefix, later and earlier [stride] are scratch; s, rest and dt have `stride` entries.
FK_INLINE float square_backward(const struct square *m, float *restrict da, float *restrict prefix,
                                float *restrict later, float *restrict earlier, const float *restrict s,
                                const float *restrict rest, const float *restrict dt) {
    float trace = 0.0f;
    memset(prefix, 0, m->stride * sizeof(float));
    memset(later, 0, m->stride * sizeof(float));
    for (size_t j = 0; j < m->rows; ++j) trace += m->values[j * m->stride + j];
    for (size_t begin = 0; begin < m->rows; begin += pivotRows) {
        size_t end = m->rows - begin < pivotRows ? m->rows : begin + pivotRows;
        square_diagonal(m, da, prefix, s, rest, dt, begin, end);
        if (end == m->rows) break;
        // The pivot is the last row of the block: nothing lies between it and the columns at the right.
        ssd_decay_to(earlier, s, rest, NULL, begin, end, end - 1);
        ssd_decay_from(later, s, rest, end, m->rows, end - 1);
        for (size_t j = begin; j < end; j += 4) square_rows(m, da, prefix, later, earlier, dt, j, end, 4);
    }
    return trace;
}

// A row of a head: its share of the gradients through the state and through its own time step.
struct row_sums {
    float fromState;  // <dy, C H>
    float toState;    // <x, E B>
    float direct;     // <x, w>, w = inner + keep E B
};

// dx += step w + skip dy for one row [width], with w as above; ch and eb may be NULL, for zeros.
FK_INLINE struct row_sums row_backward(float *restrict dx, const float *restrict x, const float *restrict dy,
                                       const float *restrict inner, const float *restrict ch,
                                       const float *restrict eb, float keep, float step, float skip,
                                       size_t width, int accumulate) {
    fk_lanes fromState = {0}, toState = {0}, direct = {0};
    size_t p = 0;
    for (; p + laneCount <= width; p += laneCount) {
        fk_lanes own = FK_CONST_LANES(x + p), upstream = FK_CONST_LANES(dy + p);
        fk_lanes w = FK_CONST_LANES(inner + p);
        if (ch) fromState += upstream * FK_CONST_LANES(ch + p);
        if (eb) {
            fk_lanes state = FK_CONST_LANES(eb + p);
            toState += own * state;
            w += keep * state;
        }
        direct += own * w;
        fk_lanes gradient = step * w + skip * upstream;
        FK_LANES(dx + p) = accumulate ? FK_LANES(dx + p) + gradient : gradient;
    }
    struct row_sums sums = {fk_lanes_sum(&fromState), fk_lanes_sum(&toState), fk_lanes_sum(&direct)};
    for (; p < width; ++p) {
        float state = eb ? eb[p] : 0.0f, w = inner[p] + keep * state;
        sums.fromState += ch ? dy[p] * ch[p] : 0.0f;
        sums.toState += x[p] * state;
        sums.direct += x[p] * w;
        dx[p] = (accumulate ? dx[p] : 0.0f) + (step * w + skip * dy[p]);
    }
    return sums;
}

// <E, H> of a head: [stateSize, headSize] each.
FK_INLINE float state_product(fk_const_rows after, fk_const_rows previous, size_t stateSize,
                              size_t headSize) {
    fk_lanes lanes = {0};
    float rest = 0.0f;
    for (size_t n = 0; n < stateSize; ++n) {
        const float *e = after.first + n * after.stride, *h = previous.first + n * previous.stride;
        size_t p = 0;
        for (; p + laneCount <= headSize; p += laneCount)
            lanes += FK_CONST_LANES(e + p) * FK_CONST_LANES(h + p);
        for (; p < headSize; ++p) rest += e[p] * h[p];
    }
    return fk_lanes_sum(&lanes) + rest;
}

FK_INLINE float sum_of(const float *restrict x, size_t count) {
    FK_REDUCTION
    float sum = 0.0f;
    for (size_t j = 0; j < count; ++j) sum += x[j];
    return sum;
}

// From da [rows], the gradients of decays, and `direct` [rows], those of dt x, to those of the raw time
// steps, which lie ddtRow and dtRow apart. Returns that of their bias.
FK_INLINE float steps_backward(float *restrict ddtRaw, size_t ddtRow, float *restrict direct,
                               const float *restrict da, const float *restrict dtRaw, size_t dtRow,
                               size_t rows, float dtScale, float dtBias, float a) {
    for (size_t j = 0; j < rows; ++j) {
        direct[j] = (direct[j] + a * da[j]) * fk_sigmoid(dtRaw[j * dtRow] * dtScale + dtBias);
    }
    for (size_t j = 0; j < rows; ++j) ddtRaw[j * ddtRow] += direct[j] * dtScale;
    return sum_of(direct, rows);
}

size_t fk_ssd_backward_scratch_floats(size_t rows, size_t headSize) {
    size_t width = fk_ssd_block_width(headSize), stride = ssd_row_stride(rows);
    return 3 * rows * stride + rows * (4 * width + headSize) + 11 * stride;
}

FK_KERNEL void fk_ssd_backward(fk_ssd_gradients gradients, fk_ssd_upstream upstream, fk_ssd_saved saved,
                               fk_ssd_inputs inputs, fk_ssd_step_inputs steps, fk_ssd_sizes sizes,
                               unsigned tiles, float *restrict scratch) {
    size_t rows = sizes.rows, heads = sizes.heads, headSize = sizes.headSize, stateSize = sizes.stateSize;
    int accumulate = gradients.accumulate;
    int hasAfter = upstream.after.first != NULL, hasPrevious = saved.previous.first != NULL;
    size_t stride = ssd_row_stride(rows), width = fk_ssd_block_width(headSize);
    size_t blockHeads = width / headSize;
    float *products = scratch, *dProducts = products + rows * stride;
    float *values = dProducts + rows * stride, *xWeighted = values + rows * stride;
    float *dyWeighted = xWeighted + rows * width, *eb = dyWeighted + rows * width;
    float *ch = eb + rows * width, *inner = ch + rows * width;
    float *inWeight = inner + rows * headSize, *outWeight = inWeight + stride;
    float *keep = outWeight + stride, *prefix = keep + stride, *da = prefix + stride;
    float *fromState = da + stride, *toState = fromState + stride, *direct = toState + stride;
    // Copies whose last vector is whole.
    float *s = direct + stride, *rest = s + stride, *step = rest + stride;
    struct square square = {values, dProducts, products, rows, stride};

    // Columns from `rows` on are never written again.
    memset(products, 0, 3 * rows * stride * sizeof(float));
    memset(s, 0, 3 * stride * sizeof(float));
    for (size_t j = 0; j < rows && !accumulate; ++j) {
        memset(gradients.b.first + j * gradients.b.stride, 0, stateSize * sizeof(float));
        memset(gradients.c.first + j * gradients.c.stride, 0, stateSize * sizeof(float));
        memset(gradients.dtRaw.first + j * gradients.dtRaw.stride, 0, heads * sizeof(float));
    }
    fk_tile_product((fk_rows){products, stride}, fk_as_is(inputs.b), fk_transposed(inputs.c), rows, rows,
                    stateSize, tiles | FK_TILE_C_UPPER);
    for (size_t h0 = 0; h0 < heads; h0 += blockHeads) {
        size_t count = heads - h0 < blockHeads ? heads - h0 : blockHeads, columns = count * headSize;
        for (size_t h = h0; h < h0 + count; ++h) {
            size_t column = (h - h0) * headSize;
            fk_const_rows x = fk_const_part(inputs.x, 0, h * headSize);
            fk_const_rows dy = fk_const_part(upstream.dy, 0, h * headSize);
            ssd_weights(inWeight, saved.dt + h * rows, saved.decay + 2 * h * rows, rows);
            ssd_weights(outWeight, NULL, saved.decay + 2 * h * rows, rows);
            if (hasAfter) {
                ssd_scale_rows(xWeighted + column, columns, x.first, x.stride, inWeight, rows, headSize);
            }
            if (hasPrevious) {
                ssd_scale_rows(dyWeighted + column, columns, dy.first, dy.stride, outWeight, rows, headSize);
            }
        }
        if (hasAfter) {
            fk_const_rows e = fk_const_part(upstream.after, 0, h0 * headSize);
            fk_tile_product(gradients.b, fk_as_is((fk_const_rows){xWeighted, columns}), fk_transposed(e),
                            rows, stateSize, columns, tiles | FK_TILE_ADD);
            fk_tile_product((fk_rows){eb, columns}, fk_as_is(inputs.b), fk_as_is(e), rows, columns, stateSize,
                            tiles);
        }
        if (hasPrevious) {
            fk_const_rows state = fk_const_part(saved.previous, 0, h0 * headSize);
            fk_tile_product(gradients.c, fk_as_is((fk_const_rows){dyWeighted, columns}), fk_transposed(state),
                            rows, stateSize, columns, tiles | FK_TILE_ADD);
            fk_tile_product((fk_rows){ch, columns}, fk_as_is(inputs.c), fk_as_is(state), rows, columns,
                            stateSize, tiles);
        }
        for (size_t h = h0; h < h0 + count; ++h) {
            size_t column = (h - h0) * headSize;
            fk_rows dx = fk_part(gradients.x, 0, h * headSize);
            fk_const_rows x = fk_const_part(inputs.x, 0, h * headSize);
            fk_const_rows dy = fk_const_part(upstream.dy, 0, h * headSize);
            memcpy(s, saved.decay + 2 * h * rows, rows * sizeof(float));
            memcpy(rest, saved.decay + (2 * h + 1) * rows, rows * sizeof(float));
            memcpy(step, saved.dt + h * rows, rows * sizeof(float));
            fk_tile_product((fk_rows){values, stride}, fk_as_is(x), fk_transposed(dy), rows, rows, headSize,
                            tiles | FK_TILE_C_UPPER);
            gradients.d[h] = square_backward(&square, da, prefix, keep, outWeight, s, rest, step);
            fk_tile_product((fk_rows){inner, headSize}, fk_as_is((fk_const_rows){values, stride}),
                            fk_as_is(dy), rows, headSize, rows, tiles | FK_TILE_A_UPPER);
            ssd_weights(outWeight, NULL, s, rows);
            ssd_decay_to(keep, s, rest, NULL, 0, rows, rows - 1);
            for (size_t j = 0; j < rows; ++j) {
                struct row_sums sums =
                    row_backward(dx.first + j * dx.stride, x.first + j * x.stride, dy.first + j * dy.stride,
                                 inner + j * headSize, hasPrevious ? ch + j * columns + column : NULL,
                                 hasAfter ? eb + j * columns + column : NULL, keep[j], step[j], inputs.d[h],
                                 headSize, accumulate);
                fromState[j] = outWeight[j] * sums.fromState;
                toState[j] = keep[j] * step[j] * sums.toState;
                direct[j] = sums.direct;
            }
            float through = 0.0f;
            if (hasAfter && hasPrevious) {
                through = outWeight[rows - 1] * state_product(fk_const_part(upstream.after, 0, h * headSize),
                                                              fk_const_part(saved.previous, 0, h * headSize),
                                                              stateSize, headSize);
            }
            float sum = 0.0f;
            for (size_t j = rows; j-- > 0;) da[j] += (sum += fromState[j]) + through;
            sum = 0.0f;
            for (size_t j = 0; j < rows; ++j) {
                da[j] += sum;
                sum += toState[j];
            }
            float a = -expf(steps.aLog[h]);
            gradients.dtBias[h] = steps_backward(gradients.dtRaw.first + h, gradients.dtRaw.stride, direct,
                                                 da, steps.dtRaw.first + h, steps.dtRaw.stride, rows,
                                                 steps.dtScale, steps.dtBias[h], a);
            gradients.aLog[h] = a * dot(step, da, rows);
        }
    }
    fk_const_rows squares = {dProducts, stride};
    fk_tile_product(gradients.b, fk_as_is(squares), fk_as_is(inputs.c), rows, stateSize, rows,
                    tiles | FK_TILE_ADD | FK_TILE_A_UPPER);
    fk_tile_product(gradients.c, fk_transposed(squares), fk_as_is(inputs.b), rows, stateSize, rows,
                    tiles | FK_TILE_ADD | FK_TILE_A_LOWER);
}
