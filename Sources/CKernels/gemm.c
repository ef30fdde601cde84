// Multiplying packed panels, block of depth by block of depth; see gemm_tile.c for the arithmetic.
#include "gemm_tile.h"

void fk_multiply_packed(float *c, size_t strideC, const void *left, const void *right, size_t rows,
                        size_t columns, size_t depth, size_t rowBegin, size_t rowEnd, size_t columnBegin,
                        size_t columnEnd, float alpha, float beta, int bf16) {
    fk_tile tile = fk_tile_for(bf16);
    size_t leftPanels = fk_panel_count(rows, FK_LEFT_PANEL);
    size_t rightPanels = fk_panel_count(columns, FK_RIGHT_PANEL);
    for (size_t k = 0; k < depth; k += fk_block_depth(bf16)) {
        size_t block = depth - k < fk_block_depth(bf16) ? depth - k : fk_block_depth(bf16);
        size_t steps = fk_steps(block, bf16), before = fk_steps(k, bf16);
        const fk_unit *leftBlock = (const fk_unit *)left + before * leftPanels * FK_LEFT_PANEL;
        const fk_unit *rightBlock = (const fk_unit *)right + before * rightPanels * FK_RIGHT_PANEL;
        for (size_t q = columnBegin; q < columnEnd; ++q) {
            size_t column = q * FK_RIGHT_PANEL;
            for (size_t p = rowBegin; p < rowEnd; ++p) {
                size_t row = p * FK_LEFT_PANEL;
                struct fk_target to = {
                    .c = c + row * strideC + column,
                    .stride = strideC,
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

FK_KERNEL void fk_multiply_few_rows(float *restrict y, size_t strideY, const float *restrict x,
                                    size_t strideX, const float *restrict w, size_t strideW, size_t rows,
                                    size_t depth, size_t begin, size_t end, float alpha, float beta) {
    for (size_t j = begin; j < end; ++j) {
        for (size_t i = 0; i < rows; ++i) {
            float product = alpha * dot(x + i * strideX, w + j * strideW, depth), *to = y + i * strideY + j;
            *to = beta == 0.0f ? product : beta * *to + product;
        }
    }
}
