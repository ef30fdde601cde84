// Values to the simple block formats: one or two halves, then a small integer per value.
//
//   Q4_0  d, nibbles [16]               value d (q - 8)
//   Q4_1  d, m, nibbles [16]            value d q + m
//   Q5_0  d, fifth bits [4], nibbles    value d (q - 16)
//   Q5_1  d, m, fifth bits [4], nibbles value d q + m
//   Q8_0  d, int8 [32]                  value d q
//
// The low nibble of byte j is value j, the high one value j + 16; bit j of the fifth bits, read as a
// little-endian word, is of value j.
#include "blocks.h"
#include "fk_quantize.h"

FK_KERNEL void fk_quantize_f16(uint8_t *restrict bytes, const float *restrict x, size_t n) {
    for (size_t i = 0; i < n; i++) fk_store_half(bytes + 2 * i, x[i]);
}

FK_KERNEL void fk_quantize_bf16(uint8_t *restrict bytes, const float *restrict x, size_t n) {
    for (size_t i = 0; i < n; i++) {
        uint16_t bits = fk_bfloat16(x[i]);
        memcpy(bytes + 2 * i, &bits, 2);
    }
}

FK_INLINE float largest_magnitude(const float *x) {
    float largest = 0;
    for (size_t j = 0; j < blockLength; j++) largest = fabsf(x[j]) > largest ? fabsf(x[j]) : largest;
    return largest;
}

// The value of largest magnitude, with its sign; of equals the first. 0 for zeros of either sign.
FK_INLINE float extreme(const float *x) {
    float largest = largest_magnitude(x);
    for (size_t j = 0; j < blockLength; j++)
        if (fabsf(x[j]) == largest) return largest > 0 ? x[j] : 0.0f;
    return 0;
}

FK_INLINE float inverse(float d) { return d != 0 ? 1.0f / d : 0.0f; }

// q [32] = x * scale + shift without its fraction, within 0...top
FK_INLINE void truncated(uint8_t *restrict q, const float *restrict x, float origin, float scale, float shift,
                         float top) {
    for (size_t j = 0; j < blockLength; j++) {
        float value = (x[j] - origin) * scale + shift;
        // Written so that NaN, which a subnormal scale makes, becomes `top`.
        value = value < top ? value : top;
        value = value > 0.0f ? value : 0.0f;
        q[j] = (uint8_t)(int32_t)value;
    }
}

FK_INLINE void store_nibbles(uint8_t *restrict bytes, const uint8_t *restrict q) {
    for (size_t j = 0; j < blockLength / 2; j++)
        bytes[j] = (uint8_t)((q[j] & 15) | q[j + blockLength / 2] << 4);
}

FK_INLINE void store_fifth_bits(uint8_t *restrict bytes, const uint8_t *restrict q) {
    uint32_t bits = 0;
    for (size_t j = 0; j < blockLength; j++) bits |= (uint32_t)(q[j] >> 4 & 1) << j;
    memcpy(bytes, &bits, 4);
}

// Q4_0 and Q5_0: the extreme value becomes -half exactly.
FK_INLINE void quantize_symmetric(uint8_t *restrict bytes, const float *restrict x, size_t blocks,
                                  int isFiveBits) {
    const float half = isFiveBits ? 16.0f : 8.0f;
    for (size_t i = 0; i < blocks; i++, x += blockLength) {
        uint8_t q[blockLength];
        float d = extreme(x) / -half;
        truncated(q, x, 0.0f, inverse(d), half + 0.5f, 2 * half - 1);
        fk_store_half(bytes, d);
        bytes += 2;
        if (isFiveBits) {
            store_fifth_bits(bytes, q);
            bytes += 4;
        }
        store_nibbles(bytes, q);
        bytes += blockLength / 2;
    }
}

// Q4_1 and Q5_1: least and largest value become 0 and top.
FK_INLINE void quantize_affine(uint8_t *restrict bytes, const float *restrict x, size_t blocks,
                               int isFiveBits) {
    const float top = isFiveBits ? 31.0f : 15.0f;
    for (size_t i = 0; i < blocks; i++, x += blockLength) {
        uint8_t q[blockLength];
        float least = x[0], largest = x[0];
        for (size_t j = 1; j < blockLength; j++) {
            least = x[j] < least ? x[j] : least;
            largest = x[j] > largest ? x[j] : largest;
        }
        float d = (largest - least) / top;
        truncated(q, x, least, inverse(d), 0.5f, top);
        fk_store_half(bytes, d);
        fk_store_half(bytes + 2, least);
        bytes += 4;
        if (isFiveBits) {
            store_fifth_bits(bytes, q);
            bytes += 4;
        }
        store_nibbles(bytes, q);
        bytes += blockLength / 2;
    }
}

FK_KERNEL void fk_quantize_q4_0(uint8_t *restrict bytes, const float *restrict x, size_t blocks) {
    quantize_symmetric(bytes, x, blocks, 0);
}

FK_KERNEL void fk_quantize_q5_0(uint8_t *restrict bytes, const float *restrict x, size_t blocks) {
    quantize_symmetric(bytes, x, blocks, 1);
}

FK_KERNEL void fk_quantize_q4_1(uint8_t *restrict bytes, const float *restrict x, size_t blocks) {
    quantize_affine(bytes, x, blocks, 0);
}

FK_KERNEL void fk_quantize_q5_1(uint8_t *restrict bytes, const float *restrict x, size_t blocks) {
    quantize_affine(bytes, x, blocks, 1);
}

FK_KERNEL void fk_quantize_q8_0(uint8_t *restrict bytes, const float *restrict x, size_t blocks) {
    // The largest float below a half: added before the fraction is dropped, it rounds halves away from
    // zero and nothing below a half.
    const float almostHalf = 0x1.fffffep-2f;
    for (size_t i = 0; i < blocks; i++, x += blockLength, bytes += q80Bytes) {
        float d = largest_magnitude(x) / 127.0f, scale = inverse(d);
        fk_store_half(bytes, d);
        for (size_t j = 0; j < blockLength; j++) {
            float value = x[j] * scale;
            value = value < 127.0f ? value : 127.0f;
            value = value > -127.0f ? value : -127.0f;
            bytes[2 + j] = (uint8_t)(int8_t)(int32_t)(value + copysignf(almostHalf, value));
        }
    }
}

FK_KERNEL float fk_largest_magnitude(const float *x, size_t n) {
    // Without its sign a float is ordered as its bits are, and NaN stands above infinity.
    const uint32_t infinite = 0x7f800000u;
    uint32_t largest = 0;
    for (size_t i = 0; i < n; i++) {
        uint32_t bits = fk_bits(x[i]) & 0x7fffffffu;
        largest = bits > largest ? bits : largest;
    }
    return fk_from_bits(largest < infinite ? largest : infinite);
}

FK_KERNEL void fk_quantization_error(double *restrict sums, const float *restrict y, const float *restrict x,
                                     size_t n) {
    FK_REDUCTION
    double squares = 0, all = 0;
    float largest = 0;
    for (size_t i = 0; i < n; i++) {
        int isFinite = (fk_bits(x[i]) & 0x7f800000u) != 0x7f800000u;
        float value = isFinite ? x[i] : 0.0f;
        float difference = isFinite ? y[i] - x[i] : 0.0f, magnitude = fabsf(difference);
        squares += (double)difference * (double)difference;
        all += (double)value * (double)value;
        // NaN counts as infinite.
        magnitude = magnitude <= 3.4028234663852886e38f ? magnitude : INFINITY;
        largest = magnitude > largest ? magnitude : largest;
    }
    sums[0] = squares;
    sums[1] = all;
    sums[2] = largest;
}
