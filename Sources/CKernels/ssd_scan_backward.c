// The gradient of one chunk of the SSD scan. E is the gradient of the state after the chunk, H the
// state before it. Square matrices are held transposed, [j, i] with i >= j, so that the sums over
// rectangles that make the gradient of the decay run along vectors.
#include "fk_common.h"
#include "fk_sequence.h"
#include "ssd_scan.h"

FK_INLINE float dot(const float *restrict a, const float *restrict b, size_t count) {
  FK_REDUCTION
  float sum = 0.0f;
  for (size_t i = 0; i < count; ++i) sum += a[i] * b[i];
  return sum;
}

// One row j of the square matrices, columns [j, rows). On entry row[i] = <x_j, dy_i>; on return
// row[i] = <B_j, C_i> e^(s_i - s_j). Returns the rectangle sum over i >= j > earlier rows.
FK_INLINE float square_row(float *restrict row, float *restrict dProducts, float *restrict prefix,
                           const float *restrict products, const float *restrict s, size_t j,
                           size_t rows, float dt) {
  FK_REDUCTION
  const float *restrict rest = s + rows;
  float rectangle = 0.0f, own = s[j], ownRest = rest[j];
  for (size_t i = j; i < rows; ++i) {
    float factor = ssd_decay(s[i], rest[i], own, ownRest);
    float decayed = products[i] * factor, weighted = dt * row[i];
    rectangle += prefix[i];
    dProducts[i] += factor * weighted;
    prefix[i] += decayed * weighted;
    row[i] = decayed;
  }
  return rectangle;
}

size_t fk_ssd_backward_scratch_floats(size_t rows, size_t headSize) {
  size_t width = fk_ssd_block_width(headSize);
  return 3 * rows * ssd_row_stride(rows) + rows * (4 * width + headSize) + 8 * rows;
}

FK_KERNEL void fk_ssd_backward(
    float *restrict dx, size_t dxRow, float *restrict db, size_t dbRow, float *restrict dc,
    size_t dcRow, float *restrict ddtRaw, size_t ddtRow, float *restrict ddtBiasPart,
    float *restrict daLogPart, float *restrict ddPart, const float *restrict dy, size_t dyRow,
    const float *restrict after, const float *restrict previous, size_t stateRow,
    const float *restrict dt, const float *restrict decay, const float *restrict x, size_t xRow,
    const float *restrict b, size_t bRow, const float *restrict c, size_t cRow,
    const float *restrict dtRaw, size_t dtRow, const float *restrict dtBias,
    const float *restrict aLog, const float *restrict d, size_t rows, size_t heads, size_t headSize,
    size_t stateSize, float dtScale, float *restrict scratch) {
  size_t stride = ssd_row_stride(rows), width = fk_ssd_block_width(headSize);
  size_t blockHeads = width / headSize;
  float *products = scratch, *dProducts = products + rows * stride;
  float *square = dProducts + rows * stride, *xWeighted = square + rows * stride;
  float *dyWeighted = xWeighted + rows * width, *eb = dyWeighted + rows * width;
  float *ch = eb + rows * width, *inner = ch + rows * width;
  float *inWeight = inner + rows * headSize, *outWeight = inWeight + rows;
  float *keep = outWeight + rows, *prefix = keep + rows, *da = prefix + rows;
  float *fromState = da + rows, *toState = fromState + rows, *direct = toState + rows;

  fk_tile_product(products, stride, b, bRow, 1, c, 1, cRow, rows, rows, stateSize, FK_TILE_C_UPPER);
  memset(dProducts, 0, rows * stride * sizeof(float));
  for (size_t h0 = 0; h0 < heads; h0 += blockHeads) {
    size_t count = heads - h0 < blockHeads ? heads - h0 : blockHeads, columns = count * headSize;
    for (size_t h = h0; h < h0 + count; ++h) {
      size_t column = (h - h0) * headSize;
      ssd_weights(inWeight, dt + h * rows, decay + 2 * h * rows, rows);
      ssd_weights(outWeight, NULL, decay + 2 * h * rows, rows);
      if (after) {
        ssd_scale_rows(xWeighted + column, columns, x + h * headSize, xRow, inWeight, rows, headSize);
      }
      if (previous) {
        ssd_scale_rows(dyWeighted + column, columns, dy + h * headSize, dyRow, outWeight, rows,
                       headSize);
      }
    }
    if (after) {
      const float *e = after + h0 * headSize;
      fk_tile_product(db, dbRow, xWeighted, columns, 1, e, 1, stateRow, rows, stateSize, columns,
                      FK_TILE_ADD);
      fk_tile_product(eb, columns, b, bRow, 1, e, stateRow, 1, rows, columns, stateSize, 0);
    }
    if (previous) {
      const float *state = previous + h0 * headSize;
      fk_tile_product(dc, dcRow, dyWeighted, columns, 1, state, 1, stateRow, rows, stateSize,
                      columns, FK_TILE_ADD);
      fk_tile_product(ch, columns, c, cRow, 1, state, stateRow, 1, rows, columns, stateSize, 0);
    }
    for (size_t h = h0; h < h0 + count; ++h) {
      size_t column = (h - h0) * headSize;
      const float *s = decay + 2 * h * rows, *step = dt + h * rows;
      const float *xHead = x + h * headSize, *dyHead = dy + h * headSize;
      float a = -expf(aLog[h]), skip = d[h], skipGradient = 0.0f;
      fk_tile_product(square, stride, xHead, xRow, 1, dyHead, 1, dyRow, rows, rows, headSize,
                      FK_TILE_C_UPPER);
      memset(prefix, 0, rows * sizeof(float));
      for (size_t j = 0; j < rows; ++j) {
        skipGradient += square[j * stride + j];
        da[j] = square_row(square + j * stride, dProducts + j * stride, prefix,
                           products + j * stride, s, j, rows, step[j]);
        memset(square + j * stride, 0, j * sizeof(float));
      }
      fk_tile_product(inner, headSize, square, stride, 1, dyHead, dyRow, 1, rows, headSize, rows,
                      FK_TILE_A_UPPER);
      ssd_weights(outWeight, NULL, s, rows);
      for (size_t j = 0; j < rows; ++j) {
        keep[j] = ssd_decay(s[rows - 1], s[2 * rows - 1], s[j], s[rows + j]);
      }
      for (size_t j = 0; j < rows; ++j) {
        const float *restrict xj = xHead + j * xRow, *restrict dyj = dyHead + j * dyRow;
        const float *restrict state = eb + j * columns + column;
        float *restrict w = inner + j * headSize, *restrict target = dx + j * dxRow + h * headSize;
        fromState[j] = previous ? outWeight[j] * dot(dyj, ch + j * columns + column, headSize) : 0;
        toState[j] = after ? keep[j] * step[j] * dot(xj, state, headSize) : 0;
        for (size_t p = 0; p < headSize && after; ++p) w[p] += keep[j] * state[p];
        for (size_t p = 0; p < headSize; ++p) target[p] += step[j] * w[p] + skip * dyj[p];
        direct[j] = dot(w, xj, headSize);
      }
      float through = 0.0f;
      for (size_t n = 0; n < stateSize && after && previous; ++n) {
        size_t offset = n * stateRow + h * headSize;
        through += dot(after + offset, previous + offset, headSize);
      }
      through *= outWeight[rows - 1];
      float sum = 0.0f;
      for (size_t j = rows; j-- > 0;) da[j] += (sum += fromState[j]) + through;
      sum = 0.0f;
      for (size_t j = 0; j < rows; ++j) {
        da[j] += sum;
        sum += toState[j];
      }
      float biasGradient = 0.0f, aGradient = 0.0f;
      for (size_t j = 0; j < rows; ++j) {
        aGradient += step[j] * da[j];
        float raw = dtRaw[j * dtRow + h] * dtScale + dtBias[h];
        float gradient = (direct[j] + a * da[j]) * fk_sigmoid(raw);
        biasGradient += gradient;
        ddtRaw[j * ddtRow + h] += gradient * dtScale;
      }
      ddtBiasPart[h] = biasGradient;
      daLogPart[h] = aGradient * a;
      ddPart[h] = skipGradient;
    }
  }
  fk_tile_product(db, dbRow, dProducts, stride, 1, c, cRow, 1, rows, stateSize, rows,
                  FK_TILE_ADD | FK_TILE_A_UPPER);
  fk_tile_product(dc, dcRow, dProducts, 1, stride, b, bRow, 1, rows, stateSize, rows,
                  FK_TILE_ADD | FK_TILE_A_LOWER);
}
