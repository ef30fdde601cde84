#include "fk_peak.h"

#include <stdio.h>

#include "fk_common.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

// Independent chains: enough to fill two multiply-add units of four cycles' latency, few enough for
// the registers of the narrowest instruction set.
enum { chains = 12 };

// Defines a function that keeps `chains` vectors of `bytes` bytes busy; values stay near 1.
#define FK_PEAK_LOOP(name, bytes, attributes)                                                              \
    typedef float name##_vector __attribute__((vector_size(bytes)));                                       \
    attributes static uint64_t name(float *sink, size_t rounds) {                                          \
        _Pragma("clang fp contract(fast)") name##_vector sums[chains];                                     \
        volatile float scale = 0.75f, shift = 0.25f;                                                       \
        name##_vector m = scale - (name##_vector){0}, c = shift - (name##_vector){0};                      \
        for (int i = 0; i < chains; i++) sums[i] = m + (float)i;                                           \
        for (size_t round = 0; round < rounds; round++) {                                                  \
            _Pragma("clang loop unroll(full)") for (int i = 0; i < chains; i++) sums[i] = sums[i] * m + c; \
        }                                                                                                  \
        name##_vector total = sums[0];                                                                     \
        for (int i = 1; i < chains; i++) total += sums[i];                                                 \
        *sink = total[0];                                                                                  \
        return (uint64_t)rounds * chains * (bytes / sizeof(float)) * 2;                                    \
    }

FK_PEAK_LOOP(multiply_add_16, 16, )

#if defined(__x86_64__)
FK_PEAK_LOOP(multiply_add_32, 32, __attribute__((target("avx2,fma"))))
FK_PEAK_LOOP(multiply_add_64, 64, __attribute__((target("avx512f"), min_vector_width(512))))

#define FK_PEAK_BF16 __attribute__((target("avx512f,avx512bw,avx512vl,avx512bf16"), min_vector_width(512)))

FK_PEAK_BF16 static uint64_t bf16_dot_64(float *sink, size_t rounds) {
    __m512 sums[chains];
    for (int i = 0; i < chains; i++) sums[i] = _mm512_set1_ps((float)i);
    volatile float value = 1e-3f;
    __m512bh a = _mm512_cvtne2ps_pbh(_mm512_set1_ps(value), _mm512_set1_ps(value));
    for (size_t round = 0; round < rounds; round++) {
#pragma clang loop unroll(full)
        for (int i = 0; i < chains; i++) sums[i] = _mm512_dpbf16_ps(sums[i], a, a);
    }
    __m512 total = sums[0];
    for (int i = 1; i < chains; i++) total = _mm512_add_ps(total, sums[i]);
    *sink = total[0];
    // Each of the 16 sums takes two products.
    return (uint64_t)rounds * chains * 16 * 4;
}
#endif

uint64_t fk_peak_float32(float *sink, size_t rounds) {
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx512f")) return multiply_add_64(sink, rounds);
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return multiply_add_32(sink, rounds);
#endif
    return multiply_add_16(sink, rounds);
}

uint64_t fk_peak_bf16(float *sink, size_t rounds) {
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx512bf16")) return bf16_dot_64(sink, rounds);
#endif
    (void)rounds;
    *sink = 0;
    return 0;
}

typedef float line __attribute__((vector_size(64)));

// Later instructions do not order streaming stores; the caller's threads meet after this.
FK_INLINE void finish_stores(void) {
#if defined(__x86_64__)
    _mm_sfence();
#endif
}

FK_KERNEL void fk_peak_copy(float *y, const float *x, size_t n) {
    for (size_t i = 0; i < n / 16; i++) __builtin_nontemporal_store(((const line *)x)[i], (line *)y + i);
    finish_stores();
}

FK_KERNEL void fk_peak_triad(float *y, const float *a, const float *b, float scale, size_t n) {
    for (size_t i = 0; i < n / 16; i++)
        __builtin_nontemporal_store(((const line *)a)[i] + scale * ((const line *)b)[i], (line *)y + i);
    finish_stores();
}

size_t fk_last_cache_bytes(void) {
    // Not sysconf: it adds up the caches of all sockets.
    FILE *file = fopen("/sys/devices/system/cpu/cpu0/cache/index3/size", "r");
    size_t kibibytes = 0;
    if (file) {
        if (fscanf(file, "%zuK", &kibibytes) != 1) kibibytes = 0;
        fclose(file);
    }
    return kibibytes << 10;
}
