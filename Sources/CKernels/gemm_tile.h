// The arithmetic of all products and the layout of packed factors; not part of the kernels' interface.
#ifndef FK_GEMM_TILE_H
#define FK_GEMM_TILE_H

#include "fk_gemm.h"

// The input of one lane for one step along depth: a float, or two consecutive bfloat16.
typedef uint32_t fk_unit;

// Panels of `width` lanes.
FK_INLINE size_t fk_panel_count(size_t lanes, size_t width) { return (lanes + width - 1) / width; }

// Units along `depth` elements.
FK_INLINE size_t fk_steps(size_t depth, int bf16) { return bf16 ? (depth + 1) / 2 : depth; }

// Depth of a packed block: panels of a block, then those of the next.
FK_INLINE size_t fk_block_depth(int bf16) { return bf16 ? FK_GEMM_DEPTH_BF16 : FK_GEMM_DEPTH; }

// The target of a tile's sums: c [rows, columns] = beta c + alpha sums, at most 12 x 32; c is only written
// when beta is 0.
struct fk_target {
    float *c;
    size_t stride, rows, columns;
    float alpha, beta;
};

// A tile of a product: the left factor's unit (row, step) is left[row * leftRow + step * leftStep], the
// right factor is a packed panel [steps, 32].
typedef void (*fk_tile)(const struct fk_target *to, const fk_unit *left, size_t leftRow, size_t leftStep,
                        const fk_unit *panel, size_t steps);

// The tile for this processor.
fk_tile fk_tile_for(int bf16);

// Packs one panel [steps, width] of `count` lanes (the others are zeros) of a factor whose element
// (lane, k) is source[lane * laneStride + k * depthStride], one of the strides 1.
void fk_pack_panel(fk_unit *panel, const float *source, size_t laneStride, size_t depthStride, size_t count,
                   size_t depth, size_t width, int bf16);

// Rounds a factor without panels: unit (row, step) is units[row * pairs + step] for a factor whose rows
// run along depth (depthStride 1), and units[step * rows + row] for one whose columns do (rowStride 1).
void fk_round_units(fk_unit *units, const float *source, size_t rowStride, size_t depthStride, size_t rows,
                    size_t depth);

#endif
