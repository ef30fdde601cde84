// The peak of this machine: loops that only multiply and add, or only move memory.
#ifndef FK_PEAK_H
#define FK_PEAK_H

#include <stddef.h>
#include <stdint.h>

// Float32 fused multiply-adds in registers with the widest vectors of the running CPU: returns the
// floating-point operations done in `rounds` rounds; *sink gets a number that depends on all of them.
uint64_t fk_peak_float32(float *sink, size_t rounds);

// The same for bf16 dot products added to float32 (VDPBF16PS); 0 where the CPU has none.
uint64_t fk_peak_bf16(float *sink, size_t rounds);

// y [n] = x with streaming stores; n is a multiple of 16, arrays 64-byte aligned. Moves 8 n bytes.
void fk_peak_copy(float *y, const float *x, size_t n);

// y [n] = a + scale * b with streaming stores; likewise. Moves 12 n bytes.
void fk_peak_triad(float *y, const float *a, const float *b, float scale, size_t n);

// The size of the last-level cache in bytes, 0 if the system does not say.
size_t fk_last_cache_bytes(void);

#endif
