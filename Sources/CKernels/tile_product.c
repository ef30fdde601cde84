// Products of small matrices that live in the caches, for the tiles of the sequence kernels.
//
// A panel of 32 columns of the right factor is packed on the stack; the left factor is read as it lies,
// or, for bfloat16, rounded once into pairs. Triangles skip what is zero.
#include "gemm_tile.h"
#include "lanes.h"
#include "tile_product.h"

enum {
    panelDepth = 256,                // depth at a time
    blockRows = 10 * FK_LEFT_PANEL,  // rows of the left factor rounded at a time
};

FK_INLINE float dot(const float *restrict a, const float *restrict b, size_t count) {
    FK_REDUCTION
    float sum = 0.0f;
    for (size_t i = 0; i < count; ++i) sum += a[i] * b[i];
    return sum;
}

// A query or two against the rows of b, as in generation: packing would cost more than it gives.
static FK_KERNEL void few_rows(float *restrict c, size_t cRow, const float *restrict a, size_t aRow,
                               const float *restrict b, size_t bColumn, size_t m, size_t n, size_t depth,
                               int add) {
    for (size_t i = 0; i < m; ++i) {
        for (size_t j = 0; j < n; ++j) {
            float product = dot(a + i * aRow, b + j * bColumn, depth);
            c[i * cRow + j] = add ? c[i * cRow + j] + product : product;
        }
    }
}

// One row of weights for the rows of b, as in generation: c [n] (+)= a [depth] b [depth, n].
static FK_KERNEL void weighted_sum(float *restrict c, const float *restrict a, const float *restrict b,
                                   size_t bRow, size_t n, size_t depth, int add) {
    size_t j = 0;
    for (; j + 4 * laneCount <= n; j += 4 * laneCount) {
        fk_lanes sums[4];
        for (size_t v = 0; v < 4; ++v) sums[v] = add ? FK_LANES(c + j + v * laneCount) : (fk_lanes){0};
        for (size_t k = 0; k < depth; ++k) {
            for (size_t v = 0; v < 4; ++v) sums[v] += a[k] * FK_CONST_LANES(b + k * bRow + j + v * laneCount);
        }
        for (size_t v = 0; v < 4; ++v) FK_LANES(c + j + v * laneCount) = sums[v];
    }
    for (size_t i = j; i < n && !add; ++i) c[i] = 0.0f;
    for (size_t k = 0; k < depth && j < n; ++k) {
        for (size_t i = j; i < n; ++i) c[i] += a[k] * b[k * bRow + i];
    }
}

// The left factor of a block as the tile reads it.
struct left_block {
    const fk_unit *units;
    size_t row, step;
};

FK_INLINE struct left_block left_units(fk_unit *rounded, fk_matrix a, size_t rows, size_t depth, int bf16) {
    if (!bf16) return (struct left_block){(const fk_unit *)a.first, a.row, a.column};
    fk_round_units(rounded, a.first, a.row, a.column, rows, depth);
    if (a.column == 1) return (struct left_block){rounded, fk_steps(depth, 1), 1};
    return (struct left_block){rounded, 1, rows};
}

// The rows [begin, end) of a column panel [j, j + width) that are wanted at all.
FK_INLINE fk_range wanted_rows(size_t begin, size_t end, size_t j, size_t width, unsigned options) {
    if ((options & FK_TILE_C_LOWER) && begin < j) begin = j < end ? j : end;
    if ((options & FK_TILE_C_UPPER) && j + width < end) end = j + width > begin ? j + width : begin;
    return (fk_range){begin, end};
}

void fk_tile_product(fk_rows c, fk_matrix a, fk_matrix b, size_t m, size_t n, size_t depth,
                     unsigned options) {
    if (m < 3 && a.column == 1 && b.row == 1) {
        few_rows(c.first, c.stride, a.first, a.row, b.first, b.column, m, n, depth,
                 (options & FK_TILE_ADD) != 0);
        return;
    }
    if (m == 1 && a.column == 1 && b.column == 1 && !(options & ~(unsigned)(FK_TILE_ADD | FK_TILE_BF16))) {
        weighted_sum(c.first, a.first, b.first, b.row, n, depth, (options & FK_TILE_ADD) != 0);
        return;
    }
    int bf16 = (options & FK_TILE_BF16) != 0;
    fk_tile tile = fk_tile_for(bf16);
    fk_unit panel[panelDepth * FK_RIGHT_PANEL] __attribute__((aligned(64)));
    fk_unit rounded[blockRows * panelDepth / 2] __attribute__((aligned(64)));
    size_t rowsAtATime = bf16 ? blockRows : m;
    for (size_t k0 = 0; k0 < depth || k0 == 0; k0 += panelDepth) {
        size_t k1 = k0 + panelDepth < depth ? k0 + panelDepth : depth;
        int accumulate = (options & FK_TILE_ADD) || k0 > 0;
        for (size_t i0 = 0; i0 < m; i0 += rowsAtATime) {
            size_t i1 = m - i0 < rowsAtATime ? m : i0 + rowsAtATime;
            fk_matrix block = {a.first + i0 * a.row + k0 * a.column, a.row, a.column};
            struct left_block left = left_units(rounded, block, i1 - i0, k1 - k0, bf16);
            for (size_t j = 0; j < n; j += FK_RIGHT_PANEL) {
                size_t width = n - j < FK_RIGHT_PANEL ? n - j : FK_RIGHT_PANEL;
                fk_range range = wanted_rows(i0, i1, j, width, options);
                if (range.begin >= range.end) continue;
                fk_pack_panel(panel, b.first + j * b.column + k0 * b.row, b.column, b.row, width, k1 - k0,
                              FK_RIGHT_PANEL, bf16);
                for (size_t i = range.begin; i < range.end; i += FK_LEFT_PANEL) {
                    size_t rows = range.end - i < FK_LEFT_PANEL ? range.end - i : FK_LEFT_PANEL;
                    size_t begin = k0, end = k1;
                    if ((options & FK_TILE_A_LOWER) && end > i + rows) end = i + rows;
                    if ((options & FK_TILE_A_UPPER) && begin < i) begin = i / 2 * 2;
                    if (begin >= end) {
                        if (accumulate) continue;
                        begin = end = k0;
                    }
                    struct fk_target to = {
                        .c = c.first + i * c.stride + j,
                        .stride = c.stride,
                        .rows = rows,
                        .columns = width,
                        .alpha = 1.0f,
                        .beta = accumulate ? 1.0f : 0.0f,
                    };
                    size_t skipped = fk_steps(begin - k0, bf16);
                    tile(&to, left.units + (i - i0) * left.row + skipped * left.step, left.row, left.step,
                         panel + skipped * FK_RIGHT_PANEL, fk_steps(end - begin, bf16));
                }
            }
        }
    }
}
