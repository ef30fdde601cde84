// The block formats of GGUF files: sizes and the half-precision numbers in them. Fields of a block are
// bytes at any address. Not part of the kernels' interface.
//
// No product is fused with a sum in a file that includes this: a fused one rounds once instead of
// twice, and the bytes would then depend on the processor.
#ifndef FK_BLOCKS_H
#define FK_BLOCKS_H

#include "fk_common.h"

#pragma STDC FP_CONTRACT OFF

enum {
    // values in a block, and in a block of the K types
    blockLength = 32,
    superLength = 256,
    // bytes of a block
    q40Bytes = 18,
    q41Bytes = 20,
    q50Bytes = 22,
    q51Bytes = 24,
    q80Bytes = 34,
    q4KBytes = 144,
    q5KBytes = 176,
    q6KBytes = 210,
};

FK_INLINE uint32_t fk_bits(float x) {
    uint32_t bits;
    memcpy(&bits, &x, 4);
    return bits;
}

FK_INLINE float fk_from_bits(uint32_t bits) {
    float x;
    memcpy(&x, &bits, 4);
    return x;
}

// IEEE half of x: to nearest, ties to even; NaN becomes the quiet one with the sign of x.
FK_INLINE uint16_t fk_half(float x) {
    uint32_t bits = fk_bits(x), magnitude = bits & 0x7fffffffu, sign = bits >> 16 & 0x8000u;
    // Rounding may carry into the exponent, which is then right as it is.
    uint32_t normal = (magnitude + 0xfffu + (magnitude >> 13 & 1)) - 0x38000000u;
    // Beside 0.5 the last bit of a float is worth 2^-24, the smallest half.
    uint32_t small = fk_bits(fk_from_bits(magnitude) + 0.5f) - 0x3f000000u;
    uint32_t half = magnitude < 0x38800000u ? small : normal >> 13;
    half = magnitude >= 0x477ff000u ? 0x7c00u : half;
    half = magnitude > 0x7f800000u ? 0x7e00u : half;
    return (uint16_t)(sign | half);
}

// The float of a half, exactly.
FK_INLINE float fk_from_half(uint16_t half) {
    uint32_t magnitude = half & 0x7fffu, sign = (uint32_t)(half & 0x8000u) << 16;
    uint32_t normal = (magnitude << 13) + (magnitude >= 0x7c00u ? 0x70000000u : 0x38000000u);
    uint32_t small = fk_bits((float)(int32_t)magnitude * 0x1p-24f);
    return fk_from_bits(sign | (magnitude < 0x400u ? small : normal));
}

// bfloat16 of x: to nearest, ties to even; NaN becomes quiet.
FK_INLINE uint16_t fk_bfloat16(float x) {
    uint32_t bits = fk_bits(x);
    uint32_t rounded = (bits + 0x7fffu + (bits >> 16 & 1)) >> 16;
    return (uint16_t)((bits & 0x7fffffffu) > 0x7f800000u ? (bits >> 16 | 0x40u) : rounded);
}

FK_INLINE void fk_store_half(uint8_t *bytes, float x) {
    uint16_t half = fk_half(x);
    memcpy(bytes, &half, 2);
}

FK_INLINE float fk_load_half(const uint8_t *bytes) {
    uint16_t half;
    memcpy(&half, bytes, 2);
    return fk_from_half(half);
}

// The six-bit scale and minimum of sub-block j of Q4_K and Q5_K; packed [12].
FK_INLINE void fk_unpack_scale(const uint8_t *packed, size_t j, uint8_t *scale, uint8_t *minimum) {
    if (j < 4) {
        *scale = packed[j] & 63;
        *minimum = packed[j + 4] & 63;
    } else {
        *scale = (uint8_t)((packed[j + 4] & 15) | (packed[j - 4] >> 6 << 4));
        *minimum = (uint8_t)((packed[j + 4] >> 4) | (packed[j] >> 6 << 4));
    }
}

#endif
