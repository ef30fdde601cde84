// Products of small matrices that live in the caches, for the tiles of the sequence kernels.
//
// OpenBLAS spends most of a 128 x 64 x 128 product on its own set-up; here a panel of 16 columns of
// the right factor is packed once on the stack and meets 6 rows of the left factor at a time
// (6 x 16 sums stay in registers on AVX2 and AVX-512 alike). Triangles skip what is zero.
#include "fk_common.h"
#include "fk_sequence.h"

enum { tileRows = 6, panelColumns = 16, panelDepth = 256 };

typedef float fk_lanes __attribute__((vector_size(64), aligned(4)));
typedef float fk_quad __attribute__((vector_size(16), aligned(4)));

// Packs columns [0, width) of b's rows [0, depth) as [depth, 16], zero-padded; bRow is b's row stride.
FK_INLINE void pack_rows(float *restrict packed, const float *restrict b, size_t bRow, size_t depth,
                         size_t width) {
  if (width == panelColumns) {
    for (size_t k = 0; k < depth; ++k) {
      *(fk_lanes *)(packed + k * panelColumns) = *(const fk_lanes *)(b + k * bRow);
    }
    return;
  }
  for (size_t k = 0; k < depth; ++k) {
    float *row = packed + k * panelColumns;
    size_t j = 0;
    for (; j < width; ++j) row[j] = b[k * bRow + j];
    for (; j < panelColumns; ++j) row[j] = 0.0f;
  }
}

// The same from a factor given transposed: element (k, j) is b[j * bColumn + k].
FK_INLINE void pack_columns(float *restrict packed, const float *restrict b, size_t bColumn,
                            size_t depth, size_t width) {
  size_t k = 0;
  if (width == panelColumns) {
    for (; k + 4 <= depth; k += 4) {
      for (size_t j = 0; j < panelColumns; j += 4) {
        const float *source = b + j * bColumn + k;
        fk_quad r0 = *(const fk_quad *)source;
        fk_quad r1 = *(const fk_quad *)(source + bColumn);
        fk_quad r2 = *(const fk_quad *)(source + 2 * bColumn);
        fk_quad r3 = *(const fk_quad *)(source + 3 * bColumn);
        fk_quad t0 = __builtin_shufflevector(r0, r1, 0, 4, 1, 5);
        fk_quad t1 = __builtin_shufflevector(r2, r3, 0, 4, 1, 5);
        fk_quad t2 = __builtin_shufflevector(r0, r1, 2, 6, 3, 7);
        fk_quad t3 = __builtin_shufflevector(r2, r3, 2, 6, 3, 7);
        float *target = packed + k * panelColumns + j;
        *(fk_quad *)target = __builtin_shufflevector(t0, t1, 0, 1, 4, 5);
        *(fk_quad *)(target + panelColumns) = __builtin_shufflevector(t0, t1, 2, 3, 6, 7);
        *(fk_quad *)(target + 2 * panelColumns) = __builtin_shufflevector(t2, t3, 0, 1, 4, 5);
        *(fk_quad *)(target + 3 * panelColumns) = __builtin_shufflevector(t2, t3, 2, 3, 6, 7);
      }
    }
  }
  for (; k < depth; ++k) {
    float *row = packed + k * panelColumns;
    size_t j = 0;
    for (; j < width; ++j) row[j] = b[j * bColumn + k];
    for (; j < panelColumns; ++j) row[j] = 0.0f;
  }
}

// c[rows, width] (+)= a[rows, depth] * panel[depth, 16]; rows is a constant wherever this is inlined.
FK_INLINE void tile(float *restrict c, size_t cRow, const float *restrict a, size_t aRow,
                    size_t aColumn, const float *restrict panel, size_t panelRow, size_t depth,
                    size_t width, int accumulate, const int rows) {
  fk_lanes sums[tileRows];
#pragma clang loop unroll(full)
  for (int i = 0; i < rows; ++i) sums[i] = (fk_lanes){0};
  for (size_t k = 0; k < depth; ++k) {
    fk_lanes lanes = *(const fk_lanes *)(panel + k * panelRow);
    const float *column = a + k * aColumn;
#pragma clang loop unroll(full)
    for (int i = 0; i < rows; ++i) sums[i] += column[(size_t)i * aRow] * lanes;
  }
  if (width == panelColumns) {
#pragma clang loop unroll(full)
    for (int i = 0; i < rows; ++i) {
      fk_lanes *row = (fk_lanes *)(c + (size_t)i * cRow);
      *row = accumulate ? *row + sums[i] : sums[i];
    }
    return;
  }
  for (int i = 0; i < rows; ++i) {
    float *row = c + (size_t)i * cRow;
    float values[panelColumns];
    memcpy(values, &sums[i], sizeof values);
    for (size_t j = 0; j < width; ++j) row[j] = accumulate ? row[j] + values[j] : values[j];
  }
}

FK_INLINE float dot(const float *restrict a, const float *restrict b, size_t count) {
  FK_REDUCTION
  float sum = 0.0f;
  for (size_t i = 0; i < count; ++i) sum += a[i] * b[i];
  return sum;
}

FK_KERNEL void fk_tile_product(float *restrict c, size_t cRow, const float *restrict a, size_t aRow,
                               size_t aColumn, const float *restrict b, size_t bRow, size_t bColumn,
                               size_t m, size_t n, size_t depth, unsigned options) {
  if (m < 3 && aColumn == 1 && bRow == 1) {
    // A query or two against the rows of b, as in generation: packing would cost more than it gives.
    for (size_t i = 0; i < m; ++i) {
      for (size_t j = 0; j < n; ++j) {
        float product = dot(a + i * aRow, b + j * bColumn, depth);
        c[i * cRow + j] = options & FK_TILE_ADD ? c[i * cRow + j] + product : product;
      }
    }
    return;
  }
  float packed[panelDepth * panelColumns] __attribute__((aligned(64)));
  for (size_t j = 0; j < n; j += panelColumns) {
    size_t width = n - j < panelColumns ? n - j : panelColumns;
    // Rows of this panel that are wanted at all.
    size_t rowBegin = 0, rowEnd = m;
    if (options & FK_TILE_C_LOWER) rowBegin = j < m ? j : m;
    if ((options & FK_TILE_C_UPPER) && j + width < m) rowEnd = j + width;
    for (size_t k0 = 0; k0 < depth || k0 == 0; k0 += panelDepth) {
      size_t k1 = k0 + panelDepth < depth ? k0 + panelDepth : depth;
      int accumulate = (options & FK_TILE_ADD) || k0 > 0;
      const float *panel = packed;
      size_t panelRow = panelColumns;
      if (bColumn == 1 && width == panelColumns && rowEnd - rowBegin <= tileRows) {
        panel = b + k0 * bRow + j;  // one use only
        panelRow = bRow;
      } else if (bColumn == 1) {
        pack_rows(packed, b + k0 * bRow + j, bRow, k1 - k0, width);
      } else {
        pack_columns(packed, b + j * bColumn + k0, bColumn, k1 - k0, width);
      }
      for (size_t i = rowBegin; i < rowEnd; i += tileRows) {
        size_t rows = rowEnd - i < tileRows ? rowEnd - i : tileRows;
        size_t begin = k0, end = k1;
        if ((options & FK_TILE_A_LOWER) && end > i + rows) end = i + rows;
        if ((options & FK_TILE_A_UPPER) && begin < i) begin = i;
        if (begin >= end) {
          if (accumulate) continue;
          begin = end = k0;
        }
        float *target = c + i * cRow + j;
        const float *source = a + i * aRow + begin * aColumn;
        const float *panelBegin = panel + (begin - k0) * panelRow;
#define FK_TILE_CASE(count)                                                                     \
  case count:                                                                                   \
    tile(target, cRow, source, aRow, aColumn, panelBegin, panelRow, end - begin, width,         \
         accumulate, count);                                                                    \
    break
        switch (rows) {
          FK_TILE_CASE(1);
          FK_TILE_CASE(2);
          FK_TILE_CASE(3);
          FK_TILE_CASE(4);
          FK_TILE_CASE(5);
          FK_TILE_CASE(6);
        }
#undef FK_TILE_CASE
      }
    }
  }
}
