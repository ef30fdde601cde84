// Values to and from the block formats of GGUF files, bit for bit as llama.cpp makes and reads them
// without an importance matrix.
//
// A value buffer holds `blocks` times the values of a block (32; 256 for the K types), all finite when
// quantising. Blocks lie one after the other at any address; their layouts are in quantize.c and
// quantize_k.c.
#ifndef FK_QUANTIZE_H
#define FK_QUANTIZE_H

#include "fk_common.h"

// bytes [2 n]: halves or bfloat16 of x [n], to nearest, ties to even
void fk_quantize_f16(uint8_t *bytes, const float *x, size_t n);
void fk_quantize_bf16(uint8_t *bytes, const float *x, size_t n);

// bytes [blocks, 18 / 20 / 22 / 24 / 34] of x [blocks, 32]
void fk_quantize_q4_0(uint8_t *bytes, const float *x, size_t blocks);
void fk_quantize_q4_1(uint8_t *bytes, const float *x, size_t blocks);
void fk_quantize_q5_0(uint8_t *bytes, const float *x, size_t blocks);
void fk_quantize_q5_1(uint8_t *bytes, const float *x, size_t blocks);
void fk_quantize_q8_0(uint8_t *bytes, const float *x, size_t blocks);

// bytes [blocks, 144 / 176 / 210] of x [blocks, 256]
void fk_quantize_q4_k(uint8_t *bytes, const float *x, size_t blocks);
void fk_quantize_q5_k(uint8_t *bytes, const float *x, size_t blocks);
void fk_quantize_q6_k(uint8_t *bytes, const float *x, size_t blocks);

// y [n] of bytes [2 n]
void fk_dequantize_f16(float *y, const uint8_t *bytes, size_t n);
void fk_dequantize_bf16(float *y, const uint8_t *bytes, size_t n);

// y [blocks, 32] of bytes [blocks, 18 / 20 / 22 / 24 / 34]
void fk_dequantize_q4_0(float *y, const uint8_t *bytes, size_t blocks);
void fk_dequantize_q4_1(float *y, const uint8_t *bytes, size_t blocks);
void fk_dequantize_q5_0(float *y, const uint8_t *bytes, size_t blocks);
void fk_dequantize_q5_1(float *y, const uint8_t *bytes, size_t blocks);
void fk_dequantize_q8_0(float *y, const uint8_t *bytes, size_t blocks);

// y [blocks, 256] of bytes [blocks, 144 / 176 / 210]
void fk_dequantize_q4_k(float *y, const uint8_t *bytes, size_t blocks);
void fk_dequantize_q5_k(float *y, const uint8_t *bytes, size_t blocks);
void fk_dequantize_q6_k(float *y, const uint8_t *bytes, size_t blocks);

// The largest magnitude of x [n]; infinite if one is infinite or NaN.
float fk_largest_magnitude(const float *x, size_t n);

// sums [3] = sum of (y - x)^2, sum of x^2, largest |y - x|, over the finite x [n]; in double
void fk_quantization_error(double *sums, const float *y, const float *x, size_t n);

#endif
