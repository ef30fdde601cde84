// What every kernel file includes: the instruction-set dispatch and vectorisable mathematics.
//
// A kernel is one plain C function marked FK_KERNEL. The compiler builds it for AVX-512, AVX2 and
// the portable baseline, and the loader picks one from the running CPU (an IFUNC).
// Kernels are single-threaded over a range, allocate nothing and keep no state. Arguments come in the
// order: outputs, saved values, inputs, sizes, scalars. Gradients are added into.
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

// First line of a block whose sums may be reordered (and only of such a block).
#define FK_REDUCTION _Pragma("clang fp reassociate(on) contract(fast)")

// e^x within 1.1e-7 of its value; NaN stays NaN, overflow gives infinity, underflow gives denormals and 0.
// Cody-Waite reduction by ln 2 and the Taylor polynomial of degree 7; no conversion of a NaN to an integer.
FK_INLINE float fk_exp(float x) {
  const float magic = 12582912.0f;  // 1.5 * 2^23: adding it rounds to an integer in the low bits
  x = x < -104.0f ? -104.0f : x;
  x = x > 89.0f ? 89.0f : x;
  float shifted = x * 1.44269504088896341f + magic;
  float n = shifted - magic;
  float r = x - n * 0.693145751953125f;
  r = r - n * 1.428606765330187045e-06f;
  float p = 1.98412701e-4f;
  p = p * r + 1.38888894e-3f;
  p = p * r + 8.33333377e-3f;
  p = p * r + 4.16666657e-2f;
  p = p * r + 1.66666657e-1f;
  p = p * r + 0.5f;
  p = p * r + 1.0f;
  p = p * r + 1.0f;
  int32_t bits, magicBits, half, rest;
  memcpy(&bits, &shifted, 4);
  memcpy(&magicBits, &magic, 4);
  bits = (int32_t)((uint32_t)bits - (uint32_t)magicBits);
  half = bits >> 1;
  rest = bits - half;
  uint32_t scaleBits1 = (uint32_t)(half + 127) << 23, scaleBits2 = (uint32_t)(rest + 127) << 23;
  float scale1, scale2;
  memcpy(&scale1, &scaleBits1, 4);
  memcpy(&scale2, &scaleBits2, 4);
  return p * scale1 * scale2;
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
