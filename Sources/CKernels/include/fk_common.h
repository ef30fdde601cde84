// Common to all kernel files: the instruction-set dispatch and vectorisable mathematics.
//
// A kernel is one plain C function marked FK_KERNEL. The compiler builds it for AVX-512, AVX2 and
// the portable baseline, and the loader picks one from the running CPU (an IFUNC).
// Kernels are single-threaded over a range, allocate nothing and keep no state. Arguments come in the
// order: outputs, saved values, inputs, sizes, scalars. Gradients are added into.
// Values that belong together are one argument, a struct passed by value: a matrix, or the inputs, the
// sizes, the saved values, the gradients of an op, shared by its two directions. Shapes stand at the fields.
//
// The compiler trusts `restrict` of parameters alone, not of pointers in a struct: an inner loop stands in a
// function of a row or a tile, which takes its pointers as parameters.
#ifndef FK_COMMON_H
#define FK_COMMON_H

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(__x86_64__)
#define FK_KERNEL __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define FK_KERNEL
#endif

#define FK_INLINE static inline __attribute__((always_inline))

// A matrix that is written: element (i, j) is first[i * stride + j].
typedef struct fk_rows {
    float *first;
    size_t stride;  // floats from a row to the next
} fk_rows;

// A matrix that is read.
typedef struct fk_const_rows {
    const float *first;
    size_t stride;  // floats from a row to the next
} fk_const_rows;

// begin, begin + 1, ..., end - 1
typedef struct fk_range {
    size_t begin, end;
} fk_range;

// First line of a block whose sums may be reordered (and only of such a block).
#define FK_REDUCTION _Pragma("clang fp reassociate(on) contract(fast)")

// e^x within 1e-7 of its value; 0 below -87.7, e^88.37 above that, NaN stays NaN.
//
// x = n ln 2 + r (Cody-Waite), e^r = 1 + r + r^2 q(r) with the minimax q of degree 4 (3.1e-9 without
// rounding), and 2^n made in the exponent bits, where n = -127 makes 0.
FK_INLINE float fk_exp(float x) {
    // 1.5 * 2^23 + 127: adding it rounds to an integer in the low bits, with the exponent's bias.
    const float magic = 12583039.0f;
    x = x < -88.02f ? -88.02f : x;
    x = x > 88.37f ? 88.37f : x;
    float shifted = x * 1.44269504088896341f + magic;
    float n = shifted - magic;
    float r = x - n * 0.693145751953125f;
    r = r - n * 1.428606765330187045e-06f;
    float p = 1.381454e-3f;
    p = p * r + 8.368745e-3f;
    p = p * r + 4.166839e-2f;
    p = p * r + 1.6666521e-1f;
    p = p * r + 4.9999994e-1f;
    p = p * r + 1.0f;
    p = p * r + 1.0f;
    uint32_t bits;
    memcpy(&bits, &shifted, 4);
    bits <<= 23;
    float scale;
    memcpy(&scale, &bits, 4);
    return p * scale;
}

// log(1 + e^x) = max(x, 0) + log1p(e^-|x|), log1p(u) = 2 atanh(u / (2 + u)) as a series in z^2 <= 1/9.
FK_INLINE float fk_softplus(float x) {
    float u = fk_exp(-fabsf(x));
    float z = u / (2.0f + u), z2 = z * z;
    float p = 2.0f / 17.0f;
    p = p * z2 + 2.0f / 15.0f;
    p = p * z2 + 2.0f / 13.0f;
    p = p * z2 + 2.0f / 11.0f;
    p = p * z2 + 2.0f / 9.0f;
    p = p * z2 + 2.0f / 7.0f;
    p = p * z2 + 2.0f / 5.0f;
    p = p * z2 + 2.0f / 3.0f;
    p = p * z2 + 2.0f;
    return (x > 0.0f ? x : 0.0f) + p * z;
}

// 1 / (1 + e^-x)
FK_INLINE float fk_sigmoid(float x) { return 1.0f / (1.0f + fk_exp(-x)); }

// x * sigmoid(x)
FK_INLINE float fk_silu(float x) { return x * fk_sigmoid(x); }

// d silu / dx = s (1 + x (1 - s)), s = sigmoid(x)
FK_INLINE float fk_silu_derivative(float x) {
    float s = fk_sigmoid(x);
    return s * (1.0f + x * (1.0f - s));
}

#endif
