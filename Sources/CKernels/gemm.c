// Multiplying packed panels, block of depth by block of depth; see gemm_tile.c for the arithmetic.
#include "gemm_tile.h"

void fk_multiply_packed(fk_rows c, fk_packed_product product, fk_range leftPanels, fk_range rightPanels,
                        float alpha, float beta) {
    size_t rows = product.rows, columns = product.columns, depth = product.depth;
    int bf16 = product.bf16;
    fk_tile tile = fk_tile_for(bf16);
    size_t leftCount = fk_panel_count(rows, FK_LEFT_PANEL);
    size_t rightCount = fk_panel_count(columns, FK_RIGHT_PANEL);
    for (size_t k = 0; k < depth; k += fk_block_depth(bf16)) {
        size_t block = depth - k < fk_block_depth(bf16) ? depth - k : fk_block_depth(bf16);
        size_t steps = fk_steps(block, bf16), before = fk_steps(k, bf16);
        const fk_unit *leftBlock = (const fk_unit *)product.left + before * leftCount * FK_LEFT_PANEL;
        const fk_unit *rightBlock = (const fk_unit *)product.right + before * rightCount * FK_RIGHT_PANEL;
        for (size_t q = rightPanels.begin; q < rightPanels.end; ++q) {
            size_t column = q * FK_RIGHT_PANEL;
            for (size_t p = leftPanels.begin; p < leftPanels.end; ++p) {
                size_t row = p * FK_LEFT_PANEL;
                struct fk_target to = {
                    .c = c.first + row * c.stride + column,
                    .stride = c.stride,
                    .rows = rows - row < FK_LEFT_PANEL ? rows - row : FK_LEFT_PANEL,
                    .columns = columns - column < FK_RIGHT_PANEL ? columns - column : FK_RIGHT_PANEL,
                    .alpha = alpha,
                    .beta = k ? 1.0f : beta,
                };
                tile(&to, leftBlock + row * steps, 1, FK_LEFT_PANEL, rightBlock + column * steps, steps);
            }
        }
    }
}

FK_INLINE float dot(const float *restrict a, const float *restrict b, size_t count) {
    FK_REDUCTION
    float sum = 0.0f;
    for (size_t i = 0; i < count; ++i) sum += a[i] * b[i];
    return sum;
}

FK_KERNEL void fk_multiply_few_rows(fk_rows y, fk_const_rows x, fk_const_rows w, size_t rows, size_t depth,
                                    fk_range columns, float alpha, float beta) {
    for (size_t j = columns.begin; j < columns.end; ++j) {
        for (size_t i = 0; i < rows; ++i) {
            float product = alpha * dot(x.first + i * x.stride, w.first + j * w.stride, depth);
            float *to = y.first + i * y.stride + j;
            *to = beta == 0.0f ? product : beta * *to + product;
        }
    }
}
