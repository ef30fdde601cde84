// Values to the K formats: 256 values per block, in sub-blocks whose scales are small integers themselves.
//
//   Q4_K  d, dmin, scales [12], nibbles [128]               value d scale q - dmin minimum
//   Q5_K  d, dmin, scales [12], fifth bits [32], nibbles    the same
//   Q6_K  nibbles [128], bits 4 and 5 [64], int8 scales [16], d   value d scale (q - 32)
//
// Q4_K and Q5_K have 8 sub-blocks of 32; of each pair the first is in the low nibbles, the second in
// the high ones, and bit j of fifth bits l is of value l of sub-block j. Q6_K has 16 sub-blocks of 16.
//
// The scale of a sub-block is searched for. Sixteen sub-blocks are searched side by side, one per lane,
// so that each one's sums are taken value by value in the order that the format's own library takes
// them: the bytes are the same on every processor.
#include "blocks.h"
#include "fk_quantize.h"
#include "lanes.h"

// Scales of magnitude below this count as zero.
static const float leastScale = 1e-15f;

// a where the mask is set, b elsewhere
#define CHOOSE(mask, a, b) ((fk_lanes)(((mask) & (fk_lane_mask)(a)) | (~(mask) & (fk_lane_mask)(b))))
#define ALL_LANES(value) ((fk_lanes){0} + (value))
#define AS_FLOATS(integers) __builtin_convertvector(integers, fk_lanes)
#define MAGNITUDE(x) ((fk_lanes)((fk_lane_mask)(x)&0x7fffffff))

// 1.5 * 2^23: adding it leaves the nearest integer, ties to even, in the low bits.
static const float roundingShift = 12582912.0f;

// The integer nearest to x, |x| < 2^22; elsewhere the same wrong one everywhere.
FK_INLINE int32_t nearest(float x) { return (int32_t)(fk_bits(x + roundingShift) & 0x007fffff) - 0x00400000; }

// q = the integers nearest to x, within least...largest, as floats
FK_INLINE void nearest_lanes(fk_lanes *q, const fk_lanes *x, int32_t least, int32_t largest) {
    fk_lane_mask n = ((fk_lane_mask)(*x + roundingShift) & 0x007fffff) - 0x00400000;
    fk_lane_mask low = (fk_lane_mask){0} + least, high = (fk_lane_mask){0} + largest;
    fk_lane_mask over = n > high, under = n < low;
    n = (over & high) | (~over & n);
    n = (under & low) | (~under & n);
    *q = AS_FLOATS(n);
}

// columns [length][16] = rows [16][length]
FK_INLINE void transpose(fk_lanes *columns, const float *rows, size_t length) {
    float *to = (float *)columns;
    for (size_t lane = 0; lane < laneCount; lane++)
        for (size_t l = 0; l < length; l++) to[l * laneCount + lane] = rows[lane * length + l];
}

// The result of a search for sixteen sub-blocks.
typedef struct {
    // scale and minimum such that x is near scale q + minimum
    fk_lanes scale, minimum;
    // q was the integer nearest to inverse (x - origin)
    fk_lanes inverse, origin;
} fk_fit;

// Weighted fit of scale q + minimum, q = 0...top, minimum <= 0, to x [32] in every lane: starting from
// the range of x, each of `steps` + 1 trials rounds with another inverse scale, solves the least
// squares for scale and minimum, and is kept if its error is smaller. The next trials then start from
// its minimum.
FK_INLINE void fit_affine(fk_fit *fit, const fk_lanes *x, int32_t top, float first, int32_t steps) {
    const fk_lanes zero = {0};
    fk_lanes weights[blockLength], integers[blockLength];
    fk_lanes squares = zero;
    for (size_t i = 0; i < blockLength; i++) squares += x[i] * x[i];
    fk_lanes size = __builtin_elementwise_sqrt(squares / (float)blockLength);
    for (size_t i = 0; i < blockLength; i++) weights[i] = size + MAGNITUDE(x[i]);

    fk_lanes least = x[0], largest = x[0], sumW = weights[0], sumX = weights[0] * x[0];
    for (size_t i = 1; i < blockLength; i++) {
        least = CHOOSE(x[i] < least, x[i], least);
        largest = CHOOSE(x[i] > largest, x[i], largest);
        sumW += weights[i];
        sumX += weights[i] * x[i];
    }
    least = CHOOSE(least > zero, zero, least);
    fk_lane_mask isFlat = largest == least;

    fk_lanes inverse = (float)top / (largest - least), scale = 1.0f / inverse, bestError = zero;
    fk_lanes bestInverse = inverse, bestOrigin = least;
    for (size_t i = 0; i < blockLength; i++) {
        fk_lanes q, t = inverse * (x[i] - least);
        nearest_lanes(&q, &t, 0, top);
        fk_lanes difference = scale * q + least - x[i];
        bestError += weights[i] * (difference * difference);
    }
    for (int32_t step = 0; step <= steps; step++) {
        inverse = (first + 0.1f * (float)step + (float)top) / (largest - least);
        fk_lanes sumL = zero, sumLL = zero, sumXL = zero;
        for (size_t i = 0; i < blockLength; i++) {
            fk_lanes q, t = inverse * (x[i] - least);
            nearest_lanes(&q, &t, 0, top);
            integers[i] = q;
            fk_lanes weighted = weights[i] * q;
            sumL += weighted;
            sumLL += weighted * q;
            sumXL += weighted * x[i];
        }
        fk_lanes determinant = sumW * sumLL - sumL * sumL;
        fk_lanes newScale = (sumW * sumXL - sumX * sumL) / determinant;
        fk_lanes newLeast = (sumLL * sumX - sumL * sumXL) / determinant;
        fk_lane_mask isAbove = newLeast > zero;
        newLeast = CHOOSE(isAbove, zero, newLeast);
        newScale = CHOOSE(isAbove, sumXL / sumLL, newScale);
        fk_lanes error = zero;
        for (size_t i = 0; i < blockLength; i++) {
            fk_lanes difference = newScale * integers[i] + newLeast - x[i];
            error += weights[i] * (difference * difference);
        }
        fk_lane_mask isBetter = (determinant > zero) & (error < bestError);
        bestInverse = CHOOSE(isBetter, inverse, bestInverse);
        bestOrigin = CHOOSE(isBetter, least, bestOrigin);
        bestError = CHOOSE(isBetter, error, bestError);
        scale = CHOOSE(isBetter, newScale, scale);
        least = CHOOSE(isBetter, newLeast, least);
    }
    // Where all values are the same positive or zero number, or one negative number, the minimum is all.
    fit->scale = CHOOSE(isFlat, zero, scale);
    fit->minimum = CHOOSE(isFlat, bestOrigin, least);
    fit->inverse = CHOOSE(isFlat, zero, bestInverse);
    fit->origin = bestOrigin;
}

// q [32]: nearest((x + offset) / step) within 0...top
FK_INLINE void divide(uint8_t *restrict q, const float *restrict x, float offset, float step, int32_t top) {
    for (size_t l = 0; l < blockLength; l++) {
        int32_t n = nearest((x[l] + offset) / step);
        n = n > top ? top : n;
        q[l] = (uint8_t)(n < 0 ? 0 : n);
    }
}

// One block of Q4_K or Q5_K from the fits of its 8 sub-blocks in lanes first..<first + 8.
FK_INLINE void pack_affine(uint8_t *restrict bytes, const float *restrict x, const fk_fit *fit, size_t first,
                           int isFiveBits) {
    enum { count = superLength / blockLength };
    const int32_t top = isFiveBits ? 31 : 15;
    float scales[count], minima[count], largestScale = 0, largestMinimum = 0;
    for (size_t j = 0; j < count; j++) {
        scales[j] = fit->scale[first + j];
        minima[j] = -fit->minimum[first + j];
        largestScale = scales[j] > largestScale ? scales[j] : largestScale;
        largestMinimum = minima[j] > largestMinimum ? minima[j] : largestMinimum;
    }
    float inverseScale = largestScale > 0 ? 63.0f / largestScale : 0.0f;
    float inverseMinimum = largestMinimum > 0 ? 63.0f / largestMinimum : 0.0f;
    fk_store_half(bytes, largestScale / 63.0f);
    fk_store_half(bytes + 2, largestMinimum / 63.0f);
    uint8_t *packed = bytes + 4;
    for (size_t j = 0; j < count; j++) {
        uint8_t scale = (uint8_t)nearest(inverseScale * scales[j]);
        uint8_t minimum = (uint8_t)nearest(inverseMinimum * minima[j]);
        scale = scale > 63 ? 63 : scale;
        minimum = minimum > 63 ? 63 : minimum;
        if (j < 4) {
            packed[j] = scale;
            packed[j + 4] = minimum;
        } else {
            packed[j + 4] = (uint8_t)((scale & 15) | minimum << 4);
            packed[j - 4] |= (uint8_t)(scale >> 4 << 6);
            packed[j] |= (uint8_t)(minimum >> 4 << 6);
        }
    }

    uint8_t q[superLength];
    float d = fk_load_half(bytes), dmin = fk_load_half(bytes + 2);
    for (size_t j = 0; j < count; j++) {
        uint8_t scale, minimum;
        fk_unpack_scale(packed, j, &scale, &minimum);
        float step = d * (float)scale;
        if (step != 0) {
            divide(q + j * blockLength, x + j * blockLength, dmin * (float)minimum, step, top);
        } else {
            // Any integer decodes to the same value; the search's own are the ones in common use.
            float inverse = fit->inverse[first + j];
            for (size_t l = 0; l < blockLength; l++) {
                int32_t n = nearest(inverse * (x[j * blockLength + l] - fit->origin[first + j]));
                n = n > top ? top : n;
                q[j * blockLength + l] = (uint8_t)(n < 0 || inverse == 0 ? 0 : n);
            }
        }
    }
    uint8_t *nibbles = bytes + 16;
    if (isFiveBits) {
        memset(nibbles, 0, blockLength);
        for (size_t j = 0; j < count; j++)
            for (size_t l = 0; l < blockLength; l++)
                nibbles[l] |= (uint8_t)(q[j * blockLength + l] >> 4 << j);
        nibbles += blockLength;
    }
    for (size_t pair = 0; pair < count / 2; pair++)
        for (size_t l = 0; l < blockLength; l++) {
            const uint8_t *from = q + pair * 2 * blockLength + l;
            nibbles[pair * blockLength + l] = (uint8_t)((from[0] & 15) | from[blockLength] << 4);
        }
}

// Two blocks fill the sixteen lanes; an odd last one is searched beside zeros.
FK_INLINE void quantize_affine(uint8_t *restrict bytes, const float *restrict x, size_t blocks,
                               int isFiveBits) {
    const size_t byteCount = isFiveBits ? q5KBytes : q4KBytes;
    fk_lanes columns[blockLength];
    float padded[2 * superLength];
    for (size_t i = 0; i < blocks; i += 2) {
        const float *rows = x + i * superLength;
        if (i + 1 == blocks) {
            memcpy(padded, rows, superLength * sizeof *padded);
            memset(padded + superLength, 0, superLength * sizeof *padded);
            rows = padded;
        }
        transpose(columns, rows, blockLength);
        fk_fit fit;
        if (isFiveBits)
            fit_affine(&fit, columns, 31, -0.5f, 15);
        else
            fit_affine(&fit, columns, 15, -1.0f, 20);
        for (size_t k = 0; k < 2 && i + k < blocks; k++)
            pack_affine(bytes + (i + k) * byteCount, rows + k * superLength, &fit, k * 8, isFiveBits);
    }
}

FK_KERNEL void fk_quantize_q4_k(uint8_t *restrict bytes, const float *restrict x, size_t blocks) {
    quantize_affine(bytes, x, blocks, 0);
}

FK_KERNEL void fk_quantize_q5_k(uint8_t *restrict bytes, const float *restrict x, size_t blocks) {
    quantize_affine(bytes, x, blocks, 1);
}

// Fit of scale q, q = -32...31, to x [16] in every lane, weighted by x^2: nineteen inverse scales around
// the one that makes the extreme value -32, the plain one first; the best is kept.
FK_INLINE void fit_symmetric(fk_fit *fit, const fk_lanes *x) {
    enum { length = 16, half = 32, reach = 9 };
    const fk_lanes zero = {0};
    fk_lanes extreme = zero, largest = zero;
    for (size_t i = 0; i < length; i++) {
        fk_lanes size = MAGNITUDE(x[i]);
        fk_lane_mask isLarger = size > largest;
        largest = CHOOSE(isLarger, size, largest);
        extreme = CHOOSE(isLarger, x[i], extreme);
    }
    fk_lanes scale = zero, best = zero, bestInverse = zero;
    for (int32_t trial = 0; trial < 2 * reach + 1; trial++) {
        // 0, -9, ..., -1, 1, ..., 9
        int32_t k = trial == 0 ? 0 : trial <= reach ? trial - reach - 1 : trial - reach;
        fk_lanes inverse = -((float)half + 0.1f * (float)k) / extreme;
        fk_lanes sumXL = zero, sumLL = zero;
        for (size_t i = 0; i < length; i++) {
            fk_lanes q, t = inverse * x[i];
            nearest_lanes(&q, &t, -half, half - 1);
            fk_lanes weight = x[i] * x[i];
            sumXL += weight * x[i] * q;
            sumLL += weight * q * q;
        }
        fk_lanes ratio = sumXL / sumLL;
        if (trial == 0) {
            scale = CHOOSE(sumLL != zero, ratio, zero);
            best = scale * sumXL;
            bestInverse = inverse;
        } else {
            fk_lane_mask isBetter = (sumLL > zero) & (sumXL * sumXL > best * sumLL);
            scale = CHOOSE(isBetter, ratio, scale);
            best = CHOOSE(isBetter, ratio * sumXL, best);
            bestInverse = CHOOSE(isBetter, inverse, bestInverse);
        }
    }
    fk_lane_mask isZero = largest < leastScale;
    fit->scale = CHOOSE(isZero, zero, scale);
    fit->inverse = CHOOSE(isZero, zero, bestInverse);
}

// One block of Q6_K from the fits of its 16 sub-blocks.
FK_INLINE void pack_symmetric(uint8_t *restrict bytes, const float *restrict x, const fk_fit *fit) {
    enum { count = 16, length = 16, half = 32 };
    float largest = 0, largestSize = 0;
    for (size_t j = 0; j < count; j++) {
        float size = fabsf(fit->scale[j]);
        if (size > largestSize) {
            largestSize = size;
            largest = fit->scale[j];
        }
    }
    if (largestSize < leastScale) {
        memset(bytes, 0, q6KBytes);
        return;
    }
    float inverse = -128.0f / largest;
    fk_store_half(bytes + 208, 1.0f / inverse);
    float d = fk_load_half(bytes + 208);
    uint8_t q[superLength];
    for (size_t j = 0; j < count; j++) {
        int32_t scale = nearest(inverse * fit->scale[j]);
        scale = scale > 127 ? 127 : scale;
        bytes[192 + j] = (uint8_t)scale;
        float step = d * (float)(int8_t)bytes[192 + j];
        int isZero = step == 0 && fit->inverse[j] == 0;
        for (size_t l = 0; l < length; l++) {
            float value = x[j * length + l];
            int32_t n = nearest(step != 0 ? value / step : value * fit->inverse[j]);
            n = n > half - 1 ? half - 1 : n;
            n = n < -half ? -half : n;
            q[j * length + l] = (uint8_t)(isZero ? 0 : n + half);
        }
    }
    for (size_t part = 0; part < 2; part++) {
        const uint8_t *from = q + part * 128;
        uint8_t *low = bytes + part * 64, *high = bytes + 128 + part * 32;
        for (size_t l = 0; l < 32; l++) {
            low[l] = (uint8_t)((from[l] & 15) | from[l + 64] << 4);
            low[l + 32] = (uint8_t)((from[l + 32] & 15) | from[l + 96] << 4);
            high[l] = (uint8_t)(from[l] >> 4 | from[l + 32] >> 4 << 2 | from[l + 64] >> 4 << 4 |
                                from[l + 96] >> 4 << 6);
        }
    }
}

FK_KERNEL void fk_quantize_q6_k(uint8_t *restrict bytes, const float *restrict x, size_t blocks) {
    fk_lanes columns[16];
    for (size_t i = 0; i < blocks; i++) {
        transpose(columns, x + i * superLength, 16);
        fk_fit fit;
        fit_symmetric(&fit, columns);
        pack_symmetric(bytes + i * q6KBytes, x + i * superLength, &fit);
    }
}
