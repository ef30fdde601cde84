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
    FK_LEFT_PANEL = 12,   // rows a panel of the left factor
    FK_RIGHT_PANEL = 32,  // columns a panel of the right factor
    FK_GEMM_DEPTH = 256,  // depth of a packed block in float32; a product's panels follow block by block
    FK_GEMM_DEPTH_BF16 = 512,
};

// 1 if this processor multiplies bfloat16 (AVX512-BF16).
int fk_has_bf16(void);

// Bytes of a factor packed in panels of `width` lanes, of which there are enough for `lanes`.
size_t fk_packed_bytes(size_t lanes, size_t depth, size_t width, int bf16);

// Packs panels [panelBegin, panelEnd) of a factor with `lanes` lanes (rows of the left factor, columns of
// the right one): element (lane, k) is source[lane * laneStride + k * depthStride], one of the strides 1.
// Of the depth [depthBegin, depthEnd) is packed; both are multiples of 16, or the end is the whole depth.
// Missing lanes are zeros. With bf16 elements are rounded to nearest even and stand in pairs along depth.
void fk_pack(void *packed, const float *source, size_t laneStride, size_t depthStride, size_t lanes,
             size_t depth, size_t width, size_t panelBegin, size_t panelEnd, size_t depthBegin,
             size_t depthEnd, int bf16);

// c (+)= alpha left right, for panels [rowBegin, rowEnd) of left and [columnBegin, columnEnd) of right;
// c is the whole result [rows, columns] with row stride strideC. beta multiplies what is in c, and when
// it is 0 c is only written.
void fk_multiply_packed(float *c, size_t strideC, const void *left, const void *right, size_t rows,
                        size_t columns, size_t depth, size_t rowBegin, size_t rowEnd, size_t columnBegin,
                        size_t columnEnd, float alpha, float beta, int bf16);

// y [rows, columns] = alpha x [rows, depth] w^T + beta y for a few rows, without packing:
// w [columns, depth], columns [begin, end). When beta is 0, y is only written.
void fk_multiply_few_rows(float *y, size_t strideY, const float *x, size_t strideX, const float *w,
                          size_t strideW, size_t rows, size_t depth, size_t begin, size_t end, float alpha,
                          float beta);

#endif
