// The block formats back to values; layouts in quantize.c and quantize_k.c.
#include "blocks.h"
#include "fk_quantize.h"

FK_KERNEL void fk_dequantize_f16(float *restrict y, const uint8_t *restrict bytes, size_t n) {
    for (size_t i = 0; i < n; i++) y[i] = fk_load_half(bytes + 2 * i);
}

FK_KERNEL void fk_dequantize_bf16(float *restrict y, const uint8_t *restrict bytes, size_t n) {
    for (size_t i = 0; i < n; i++) {
        uint16_t bits;
        memcpy(&bits, bytes + 2 * i, 2);
        y[i] = fk_from_bits((uint32_t)bits << 16);
    }
}

// y [32] = d q + m of nibbles [16], with fifth bits added if `fifth` is not NULL and `bias` taken off
FK_INLINE void unpack(float *restrict y, const uint8_t *restrict nibbles, const uint8_t *restrict fifth,
                      int32_t bias, float d, float m) {
    const size_t half = blockLength / 2;
    uint32_t bits = 0;
    if (fifth) memcpy(&bits, fifth, 4);
    for (size_t j = 0; j < half; j++) {
        int32_t low = nibbles[j] & 15, high = nibbles[j] >> 4;
        if (fifth) {
            low |= (int32_t)(bits >> j & 1) << 4;
            high |= (int32_t)(bits >> (j + half) & 1) << 4;
        }
        y[j] = d * (float)(low - bias) + m;
        y[j + half] = d * (float)(high - bias) + m;
    }
}

// The same without a minimum: -0 stays -0.
FK_INLINE void unpack_symmetric(float *restrict y, const uint8_t *restrict nibbles,
                                const uint8_t *restrict fifth, int32_t bias, float d) {
    unpack(y, nibbles, fifth, bias, d, -0.0f);
}

FK_KERNEL void fk_dequantize_q4_0(float *restrict y, const uint8_t *restrict bytes, size_t blocks) {
    for (size_t i = 0; i < blocks; i++, y += blockLength, bytes += q40Bytes)
        unpack_symmetric(y, bytes + 2, NULL, 8, fk_load_half(bytes));
}

FK_KERNEL void fk_dequantize_q4_1(float *restrict y, const uint8_t *restrict bytes, size_t blocks) {
    for (size_t i = 0; i < blocks; i++, y += blockLength, bytes += q41Bytes)
        unpack(y, bytes + 4, NULL, 0, fk_load_half(bytes), fk_load_half(bytes + 2));
}

FK_KERNEL void fk_dequantize_q5_0(float *restrict y, const uint8_t *restrict bytes, size_t blocks) {
    for (size_t i = 0; i < blocks; i++, y += blockLength, bytes += q50Bytes)
        unpack_symmetric(y, bytes + 6, bytes + 2, 16, fk_load_half(bytes));
}

FK_KERNEL void fk_dequantize_q5_1(float *restrict y, const uint8_t *restrict bytes, size_t blocks) {
    for (size_t i = 0; i < blocks; i++, y += blockLength, bytes += q51Bytes)
        unpack(y, bytes + 8, bytes + 4, 0, fk_load_half(bytes), fk_load_half(bytes + 2));
}

FK_KERNEL void fk_dequantize_q8_0(float *restrict y, const uint8_t *restrict bytes, size_t blocks) {
    for (size_t i = 0; i < blocks; i++, y += blockLength, bytes += q80Bytes) {
        float d = fk_load_half(bytes);
        for (size_t j = 0; j < blockLength; j++) y[j] = d * (float)(int8_t)bytes[2 + j];
    }
}

FK_KERNEL void fk_dequantize_q4_k(float *restrict y, const uint8_t *restrict bytes, size_t blocks) {
    for (size_t i = 0; i < blocks; i++, bytes += q4KBytes) {
        float d = fk_load_half(bytes), dmin = fk_load_half(bytes + 2);
        for (size_t j = 0; j < superLength / blockLength; j++, y += blockLength) {
            const uint8_t *nibbles = bytes + 16 + j / 2 * blockLength;
            uint8_t scale, minimum, shift = j % 2 * 4;
            fk_unpack_scale(bytes + 4, j, &scale, &minimum);
            float step = d * (float)scale, offset = dmin * (float)minimum;
            for (size_t l = 0; l < blockLength; l++) y[l] = step * (float)(nibbles[l] >> shift & 15) - offset;
        }
    }
}

FK_KERNEL void fk_dequantize_q5_k(float *restrict y, const uint8_t *restrict bytes, size_t blocks) {
    for (size_t i = 0; i < blocks; i++, bytes += q5KBytes) {
        float d = fk_load_half(bytes), dmin = fk_load_half(bytes + 2);
        const uint8_t *fifth = bytes + 16;
        for (size_t j = 0; j < superLength / blockLength; j++, y += blockLength) {
            const uint8_t *nibbles = bytes + 48 + j / 2 * blockLength;
            uint8_t scale, minimum, shift = j % 2 * 4;
            fk_unpack_scale(bytes + 4, j, &scale, &minimum);
            float step = d * (float)scale, offset = dmin * (float)minimum;
            for (size_t l = 0; l < blockLength; l++)
                y[l] = step * (float)((nibbles[l] >> shift & 15) | (fifth[l] >> j & 1) << 4) - offset;
        }
    }
}

FK_KERNEL void fk_dequantize_q6_k(float *restrict y, const uint8_t *restrict bytes, size_t blocks) {
    for (size_t i = 0; i < blocks; i++, bytes += q6KBytes) {
        float d = fk_load_half(bytes + 208);
        for (size_t run = 0; run < superLength / blockLength; run++, y += blockLength) {
            // Runs of 32 values: four to each half of 128, two of them in either nibble.
            size_t half = run / 4, quarter = run % 4;
            const uint8_t *low = bytes + half * 64 + quarter % 2 * 32, *high = bytes + 128 + half * 32;
            uint8_t lowShift = quarter / 2 * 4, highShift = quarter * 2;
            float steps[2];
            for (size_t k = 0; k < 2; k++) steps[k] = d * (float)(int8_t)bytes[192 + run * 2 + k];
            for (size_t l = 0; l < blockLength; l++) {
                int32_t q = (low[l] >> lowShift & 15) | (high[l] >> highShift & 3) << 4;
                y[l] = steps[l / 16] * (float)(q - 32);
            }
        }
    }
}
