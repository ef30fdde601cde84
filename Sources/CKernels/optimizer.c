#include "fk_optimizer.h"

FK_KERNEL void fk_adamw(float *restrict w, float *restrict m, float *restrict v,
                        float *restrict g, size_t n, float clip, float rate, float decay,
                        float beta1, float beta2, float epsilon, float correction1, float correction2) {
  float keep = 1.0f - rate * decay, step = rate / correction1, root = 1.0f / sqrtf(correction2);
  float rest1 = 1.0f - beta1, rest2 = 1.0f - beta2;
  for (size_t i = 0; i < n; i++) {
    float gradient = clip * g[i];
    float first = beta1 * m[i] + rest1 * gradient;
    float second = beta2 * v[i] + rest2 * (gradient * gradient);
    g[i] = 0.0f;
    m[i] = first;
    v[i] = second;
    w[i] = keep * w[i] - step * (first / (sqrtf(second) * root + epsilon));
  }
}

// SplitMix64's output function (Steele, Lea & Flood 2014) on key + counter * golden ratio: a
// counter-based generator, so the n-th number needs none of those before it.
FK_INLINE uint64_t random_bits(uint64_t key, uint64_t counter) {
  uint64_t z = key + (counter + 1) * 0x9E3779B97F4A7C15u;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
  return z ^ (z >> 31);
}

void fk_random_uniform(float *y, size_t n, uint64_t key, uint64_t first) {
  for (size_t i = 0; i < n; i++)
    y[i] = (float)(random_bits(key, first + i) >> 40) * 0x1.0p-24f;
}

// Box-Muller in double, one normal number per counter.
void fk_random_normal(float *y, size_t n, uint64_t key, uint64_t first) {
  for (size_t i = 0; i < n; i++) {
    uint64_t bits = random_bits(key, first + i);
    double u = ((double)(bits >> 32) + 0.5) * 0x1.0p-32;
    double angle = (double)(uint32_t)bits * (6.283185307179586476925 * 0x1.0p-32);
    y[i] = (float)(sqrt(-2.0 * log(u)) * cos(angle));
  }
}
