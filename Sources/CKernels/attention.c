// Causal attention of one query head over one document, in tiles: the scores are never stored whole.
//
// Forward: o = softmax(scale q K^T) V with a running maximum and sum (Milakov and Gimelshein 2018;
// Dao et al. 2022, algorithm 1). Backward: Dao 2023, algorithm 2, from the saved log-sum-exp.
// Key tiles are cut so that the diagonal of a query tile is one square, lower triangular tile.
#include "fk_common.h"
#include "fk_sequence.h"

enum { queryTile = 96, keyTile = 128, laneCount = 16 };

typedef float fk_lanes __attribute__((vector_size(64), aligned(4)));

// Turns a row of raw scores into exp(scale s - maximum), zero from `visible` to `width`; updates the
// row's running maximum and sum and returns the factor for what was summed before.
FK_INLINE float softmax_row(float *restrict scores, size_t visible, size_t width, float scale,
                            float *runningMaximum, float *runningSum) {
  fk_lanes lanes;
  for (size_t l = 0; l < laneCount; ++l) lanes[l] = -INFINITY;
  size_t padded = (visible + laneCount - 1) / laneCount * laneCount;
  for (size_t j = visible; j < padded; ++j) scores[j] = -INFINITY;
  for (size_t j = 0; j < padded; j += laneCount) {
    fk_lanes values = *(const fk_lanes *)(scores + j) * scale;
    lanes = __builtin_elementwise_max(lanes, values);
  }
  float maximum = *runningMaximum;
  for (size_t l = 0; l < laneCount; ++l) maximum = lanes[l] > maximum ? lanes[l] : maximum;
  for (size_t j = 0; j < padded; ++j) scores[j] = fk_exp(scores[j] * scale - maximum);
  float sum = 0.0f;
  {
    FK_REDUCTION
    for (size_t j = 0; j < visible; ++j) sum += scores[j];
  }
  for (size_t j = visible; j < width; ++j) scores[j] = 0.0f;
  float factor = fk_exp(*runningMaximum - maximum);
  *runningMaximum = maximum;
  *runningSum = *runningSum * factor + sum;
  return factor;
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

size_t fk_attention_forward_scratch_floats(void) {
  return (size_t)queryTile * keyTile + 2 * queryTile;
}

FK_KERNEL void fk_attention_forward(float *restrict out, size_t outRow, float *restrict logSumExp,
                                    const float *restrict q, size_t qRow, const float *restrict k,
                                    size_t kRow, const float *restrict v, size_t vRow,
                                    size_t queries, size_t keysBefore, size_t headSize, float scale,
                                    float *restrict scratch) {
  float *scores = scratch;
  float *maxima = scores + (size_t)queryTile * keyTile, *sums = maxima + queryTile;
  for (size_t i0 = 0; i0 < queries; i0 += queryTile) {
    size_t rows = queries - i0 < queryTile ? queries - i0 : queryTile;
    size_t diagonal = keysBefore + i0;  // query i0 is this key; all keys before it are seen by all rows
    float *outTile = out + i0 * outRow;
    for (size_t r = 0; r < rows; ++r) maxima[r] = -INFINITY, sums[r] = 0.0f;
    for (size_t k0 = 0; k0 <= diagonal;) {
      int onDiagonal = k0 == diagonal;
      size_t width = onDiagonal ? rows : diagonal - k0 < keyTile ? diagonal - k0 : keyTile;
      fk_tile_product(scores, keyTile, q + i0 * qRow, qRow, 1, k + k0 * kRow, 1, kRow, rows, width,
                      headSize, onDiagonal ? FK_TILE_C_LOWER : 0);
      for (size_t r = 0; r < rows; ++r) {
        float factor = softmax_row(scores + r * keyTile, onDiagonal ? r + 1 : width, width, scale,
                                   maxima + r, sums + r);
        if (k0 > 0 && factor != 1.0f) scale_row(outTile + r * outRow, headSize, factor);
      }
      fk_tile_product(outTile, outRow, scores, keyTile, 1, v + k0 * vRow, vRow, 1, rows, headSize,
                      width, (k0 > 0 ? FK_TILE_ADD : 0) | (onDiagonal ? FK_TILE_A_LOWER : 0));
      k0 += width;
    }
    for (size_t r = 0; r < rows; ++r) {
      scale_row(outTile + r * outRow, headSize, 1.0f / sums[r]);
      logSumExp[i0 + r] = maxima[r] + logf(sums[r]);
    }
  }
}

size_t fk_attention_backward_scratch_floats(void) { return 2 * (size_t)queryTile * keyTile; }

FK_KERNEL void fk_attention_backward(float *restrict dq, size_t dqRow, float *restrict dk,
                                     size_t dkRow, float *restrict dv, size_t dvRow,
                                     const float *restrict dout, size_t doutRow,
                                     const float *restrict out, size_t outRow,
                                     const float *restrict logSumExp, const float *restrict q,
                                     size_t qRow, const float *restrict k, size_t kRow,
                                     const float *restrict v, size_t vRow, size_t queries,
                                     size_t keysBefore, size_t headSize, float scale,
                                     float *restrict scratch) {
  float *probabilities = scratch, *differences = scratch + (size_t)queryTile * keyTile;
  float deltas[queryTile];
  for (size_t i0 = 0; i0 < queries; i0 += queryTile) {
    size_t rows = queries - i0 < queryTile ? queries - i0 : queryTile;
    size_t diagonal = keysBefore + i0;
    const float *qTile = q + i0 * qRow, *doutTile = dout + i0 * doutRow;
    for (size_t r = 0; r < rows; ++r) {
      deltas[r] = dot(doutTile + r * doutRow, out + (i0 + r) * outRow, headSize);
    }
    for (size_t k0 = 0; k0 <= diagonal;) {
      int onDiagonal = k0 == diagonal;
      size_t width = onDiagonal ? rows : diagonal - k0 < keyTile ? diagonal - k0 : keyTile;
      unsigned lower = onDiagonal ? FK_TILE_C_LOWER : 0;
      fk_tile_product(probabilities, keyTile, qTile, qRow, 1, k + k0 * kRow, 1, kRow, rows, width,
                      headSize, lower);
      fk_tile_product(differences, keyTile, doutTile, doutRow, 1, v + k0 * vRow, 1, vRow, rows,
                      width, headSize, lower);
      for (size_t r = 0; r < rows; ++r) {
        float *restrict p = probabilities + r * keyTile, *restrict ds = differences + r * keyTile;
        size_t visible = onDiagonal ? r + 1 : width;
        float logSum = logSumExp[i0 + r], delta = deltas[r];
        for (size_t j = 0; j < visible; ++j) {
          p[j] = fk_exp(p[j] * scale - logSum);
          ds[j] = p[j] * (ds[j] - delta) * scale;
        }
        for (size_t j = visible; j < width; ++j) p[j] = ds[j] = 0.0f;
      }
      unsigned upperA = FK_TILE_ADD | (onDiagonal ? FK_TILE_A_UPPER : 0);
      unsigned lowerA = FK_TILE_ADD | (onDiagonal ? FK_TILE_A_LOWER : 0);
      fk_tile_product(dv + k0 * dvRow, dvRow, probabilities, 1, keyTile, doutTile, doutRow, 1,
                      width, headSize, rows, upperA);
      fk_tile_product(dk + k0 * dkRow, dkRow, differences, 1, keyTile, qTile, qRow, 1, width,
                      headSize, rows, upperA);
      fk_tile_product(dq + i0 * dqRow, dqRow, differences, keyTile, 1, k + k0 * kRow, kRow, 1, rows,
                      headSize, width, lowerA);
      k0 += width;
    }
  }
}
