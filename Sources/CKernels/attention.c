// Causal attention of one query head over one document, in tiles: the scores are never stored whole.
//
// Forward: o = softmax(scale q K^T) V with a running maximum and sum (Milakov and Gimelshein 2018;
// Dao et al. 2022, algorithm 1). Backward: Dao 2023, algorithm 2, from the saved log-sum-exp.
// Key tiles are cut so that the diagonal of a query tile is one square, lower triangular tile.
#include "lanes.h"
#include "tile_product.h"

enum { queryTile = 96, keyTile = 192 };

// The end of the last vector that holds one of `count` floats.
FK_INLINE size_t whole_lanes(size_t count) { return (count + laneCount - 1) / laneCount * laneCount; }

// Of a row of raw scores, of which the first `visible` count, the largest; the rest of the last vector
// becomes -infinity. There is room for whole vectors.
FK_INLINE float largest_score(float *restrict scores, size_t visible) {
    size_t end = whole_lanes(visible);
    for (size_t j = visible; j < end; ++j) scores[j] = -INFINITY;
    fk_lanes even = FK_LANES(scores), odd = even;
    size_t j = laneCount;
    for (; j + laneCount < end; j += 2 * laneCount) {
        fk_lanes_keep_larger(&even, &FK_LANES(scores + j));
        fk_lanes_keep_larger(&odd, &FK_LANES(scores + j + laneCount));
    }
    if (j < end) fk_lanes_keep_larger(&even, &FK_LANES(scores + j));
    fk_lanes_keep_larger(&even, &odd);
    return fk_lanes_largest(&even);
}

// Turns a row of raw scores into e^(scale s - maximum), zero from `visible` to `width`; returns the sum.
FK_INLINE float exponentials(float *restrict scores, size_t visible, size_t width, float scale,
                             float maximum) {
    size_t end = whole_lanes(visible);
    fk_lanes sum = {0};
    for (size_t j = 0; j < end; j += laneCount) {
        fk_lanes x = FK_LANES(scores + j) * scale - maximum;
        fk_lanes_exp(&x);
        FK_LANES(scores + j) = x;
        sum += x;
    }
    for (size_t j = end; j < width; j += laneCount) FK_LANES(scores + j) = (fk_lanes){0};
    return fk_lanes_sum(&sum);
}

// Turns a tile of raw scores [rows, width] into exponentials that share their maximum with those of the
// tiles before: updates maxima and sums [rows] and writes the factor [rows] for the earlier sums.
// On the diagonal row r sees r + 1 keys.
FK_INLINE void softmax_tile(float *restrict scores, float *restrict maxima, float *restrict sums,
                            float *restrict factors, size_t rows, size_t width, int onDiagonal, float scale) {
    for (size_t r0 = 0; r0 < rows; r0 += laneCount) {
        size_t r1 = rows - r0 < laneCount ? rows : r0 + laneCount;
        fk_lanes before = FK_LANES(maxima + r0);
        for (size_t r = r0; r < r1; ++r) {
            float maximum = scale * largest_score(scores + r * keyTile, onDiagonal ? r + 1 : width);
            maxima[r] = maximum > maxima[r] ? maximum : maxima[r];
        }
        fk_lanes factor = before - FK_LANES(maxima + r0);
        fk_lanes_exp(&factor);
        FK_LANES(factors + r0) = factor;
        for (size_t r = r0; r < r1; ++r) {
            float sum =
                exponentials(scores + r * keyTile, onDiagonal ? r + 1 : width, width, scale, maxima[r]);
            sums[r] = sums[r] * factors[r] + sum;
        }
    }
}

FK_INLINE void scale_row(float *restrict row, size_t count, float factor) {
    for (size_t i = 0; i < count; ++i) row[i] *= factor;
}

FK_INLINE float dot(const float *restrict a, const float *restrict b, size_t count) {
    FK_REDUCTION
    float sum = 0.0f;
    for (size_t i = 0; i < count; ++i) sum += a[i] * b[i];
    return sum;
}

size_t fk_attention_forward_scratch_floats(void) { return (size_t)queryTile * keyTile + 3 * queryTile; }

FK_KERNEL void fk_attention_forward(fk_rows out, float *restrict logSumExp, fk_attention_inputs inputs,
                                    fk_attention_sizes sizes, unsigned tiles, float *restrict scratch) {
    size_t queries = sizes.queries, headSize = sizes.headSize;
    fk_rows scores = {scratch, keyTile};
    float *maxima = scratch + (size_t)queryTile * keyTile, *sums = maxima + queryTile;
    float *factors = sums + queryTile;
    for (size_t i0 = 0; i0 < queries; i0 += queryTile) {
        size_t rows = queries - i0 < queryTile ? queries - i0 : queryTile;
        // Query i0 is this key; all keys before it are seen by all rows.
        size_t diagonal = sizes.keysBefore + i0;
        fk_matrix q = fk_as_is(fk_const_part(inputs.q, i0, 0));
        fk_rows outTile = fk_part(out, i0, 0);
        for (size_t r = 0; r < queryTile; ++r) maxima[r] = -INFINITY, sums[r] = 0.0f;
        for (size_t k0 = 0; k0 <= diagonal;) {
            int onDiagonal = k0 == diagonal;
            size_t width = onDiagonal ? rows : diagonal - k0 < keyTile ? diagonal - k0 : keyTile;
            fk_tile_product(scores, q, fk_transposed(fk_const_part(inputs.k, k0, 0)), rows, width, headSize,
                            tiles | (onDiagonal ? FK_TILE_C_LOWER : 0));
            softmax_tile(scratch, maxima, sums, factors, rows, width, onDiagonal, inputs.scale);
            for (size_t r = 0; r < rows && k0 > 0; ++r) {
                if (factors[r] != 1.0f) scale_row(outTile.first + r * out.stride, headSize, factors[r]);
            }
            fk_tile_product(outTile, fk_as_is(fk_const(scores)), fk_as_is(fk_const_part(inputs.v, k0, 0)),
                            rows, headSize, width,
                            tiles | (k0 > 0 ? FK_TILE_ADD : 0) | (onDiagonal ? FK_TILE_A_LOWER : 0));
            k0 += width;
        }
        for (size_t r = 0; r < rows; ++r) {
            scale_row(outTile.first + r * out.stride, headSize, 1.0f / sums[r]);
            logSumExp[i0 + r] = maxima[r] + logf(sums[r]);
        }
    }
}

// From raw scores to probabilities p = e^(scale s - logSum), and from the gradients dp of these to those
// of the scores, scale p (dp - delta); both zero from `visible` to `width`.
FK_INLINE void softmax_row_backward(float *restrict scores, float *restrict gradients, size_t visible,
                                    size_t width, float scale, float logSum, float delta) {
    size_t j = 0;
    for (; j + laneCount <= visible; j += laneCount) {
        fk_lanes p = FK_LANES(scores + j) * scale - logSum;
        fk_lanes_exp(&p);
        FK_LANES(scores + j) = p;
        FK_LANES(gradients + j) = p * (FK_LANES(gradients + j) - delta) * scale;
    }
    if (j < visible) {
        fk_lanes p = FK_LANES(scores + j) * scale - logSum;
        fk_lanes_exp(&p);
        fk_lanes ds = p * (FK_LANES(gradients + j) - delta) * scale;
        fk_lanes_keep_first(&p, visible - j);
        fk_lanes_keep_first(&ds, visible - j);
        FK_LANES(scores + j) = p;
        FK_LANES(gradients + j) = ds;
        j += laneCount;
    }
    for (; j < width; j += laneCount) FK_LANES(scores + j) = FK_LANES(gradients + j) = (fk_lanes){0};
}

size_t fk_attention_backward_scratch_floats(void) { return 2 * (size_t)queryTile * keyTile; }

FK_KERNEL void fk_attention_backward(fk_attention_gradients gradients, fk_const_rows dout,
                                     fk_attention_saved saved, fk_attention_inputs inputs,
                                     fk_attention_sizes sizes, unsigned tiles, float *restrict scratch) {
    size_t queries = sizes.queries, headSize = sizes.headSize;
    fk_rows probabilities = {scratch, keyTile},
            differences = {scratch + (size_t)queryTile * keyTile, keyTile};
    float deltas[queryTile];
    for (size_t i0 = 0; i0 < queries; i0 += queryTile) {
        size_t rows = queries - i0 < queryTile ? queries - i0 : queryTile;
        size_t diagonal = sizes.keysBefore + i0;
        fk_matrix q = fk_as_is(fk_const_part(inputs.q, i0, 0));
        fk_const_rows doutTile = fk_const_part(dout, i0, 0), outTile = fk_const_part(saved.out, i0, 0);
        for (size_t r = 0; r < rows; ++r) {
            deltas[r] = dot(doutTile.first + r * dout.stride, outTile.first + r * outTile.stride, headSize);
        }
        for (size_t k0 = 0; k0 <= diagonal;) {
            int onDiagonal = k0 == diagonal;
            size_t width = onDiagonal ? rows : diagonal - k0 < keyTile ? diagonal - k0 : keyTile;
            unsigned lower = onDiagonal ? FK_TILE_C_LOWER : 0;
            fk_const_rows k = fk_const_part(inputs.k, k0, 0), v = fk_const_part(inputs.v, k0, 0);
            fk_tile_product(probabilities, q, fk_transposed(k), rows, width, headSize, tiles | lower);
            fk_tile_product(differences, fk_as_is(doutTile), fk_transposed(v), rows, width, headSize,
                            tiles | lower);
            for (size_t r = 0; r < rows; ++r) {
                softmax_row_backward(probabilities.first + r * keyTile, differences.first + r * keyTile,
                                     onDiagonal ? r + 1 : width, width, inputs.scale, saved.logSumExp[i0 + r],
                                     deltas[r]);
            }
            // The first queries meet all keys before them for the first time, others those on their diagonal.
            unsigned addKeys = i0 > 0 && !onDiagonal ? FK_TILE_ADD : 0;
            unsigned addQueries = k0 > 0 || gradients.accumulate ? FK_TILE_ADD : 0;
            unsigned upperA = addKeys | (onDiagonal ? FK_TILE_A_UPPER : 0);
            unsigned lowerA = addQueries | (onDiagonal ? FK_TILE_A_LOWER : 0);
            fk_tile_product(fk_part(gradients.v, k0, 0), fk_transposed(fk_const(probabilities)),
                            fk_as_is(doutTile), width, headSize, rows, tiles | upperA);
            fk_tile_product(fk_part(gradients.k, k0, 0), fk_transposed(fk_const(differences)), q, width,
                            headSize, rows, tiles | upperA);
            fk_tile_product(fk_part(gradients.q, i0, 0), fk_as_is(fk_const(differences)), fk_as_is(k), rows,
                            headSize, width, tiles | lowerA);
            k0 += width;
        }
    }
}
