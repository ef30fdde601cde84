// Matrix products from packed panels, in float32 or with bfloat16 factors and float32 sums.
//
// A product c [rows, columns] = left [rows, depth] right [depth, columns] is done in two steps: each
// factor is packed once into panels that the multiplying kernel reads front to back, and then blocks of
// whole panels are multiplied. A sum over depth is cut in the same places wherever its row and column
// stand and however the blocks are cut, so the bits of an element depend on its own factors alone.
#ifndef FK_GEMM_H
#define FK_GEMM_H

#include "fk_common.h"

enum {
    FK_LEFT_PANEL = 12,   // rows per panel of the left factor
    FK_RIGHT_PANEL = 32,  // columns per panel of the right factor
    FK_GEMM_DEPTH = 256,  // depth of a packed block in float32; a product's panels follow block by block
    FK_GEMM_DEPTH_BF16 = 512,
};

// 1 if this processor multiplies bfloat16 (AVX512-BF16).
int fk_has_bf16(void);

// A factor of a product. Its lanes are the rows of the left factor or the columns of the right one; element
// (lane, k) is values[lane * laneStride + k * depthStride], one of the strides 1.
typedef struct fk_factor {
    const float *values;
    size_t laneStride, depthStride;
    size_t lanes, depth;
    size_t width;  // lanes per panel: FK_LEFT_PANEL or FK_RIGHT_PANEL
} fk_factor;

// Two packed factors: left [rows, depth], right [depth, columns].
typedef struct fk_packed_product {
    const void *left, *right;
    size_t rows, columns, depth;
    int bf16;  // whether elements were rounded to bfloat16
} fk_packed_product;

// Bytes of a factor packed in panels of `width` lanes, of which there are enough for `lanes`.
size_t fk_packed_bytes(size_t lanes, size_t depth, size_t width, int bf16);

// Packs some panels of a factor, and of its depth some: both ends are multiples of 16, or the end is the
// whole depth. Missing lanes are zeros. With bf16 elements are rounded to nearest even and stand in pairs
// along depth.
void fk_pack(void *packed, fk_factor factor, fk_range panels, fk_range depths, int bf16);

// c (+)= alpha left right, for some panels of left and some of right; c is the whole result [rows, columns].
// beta multiplies the contents of c; when it is 0, c is only written.
void fk_multiply_packed(fk_rows c, fk_packed_product product, fk_range leftPanels, fk_range rightPanels,
                        float alpha, float beta);

// y [rows, all columns] = alpha x [rows, depth] w^T + beta y for a few rows and some columns, without
// packing: w [all columns, depth]. When beta is 0, y is only written.
void fk_multiply_few_rows(fk_rows y, fk_const_rows x, fk_const_rows w, size_t rows, size_t depth,
                          fk_range columns, float alpha, float beta);

#endif
