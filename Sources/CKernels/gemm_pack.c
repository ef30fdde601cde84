// Packing the factors of a product into panels; see fk_gemm.h for the layout.
//
// A unit is the input of one lane for one step of the multiplying kernel: a float, or two bfloat16 that
// follow each other along depth. Either way 32 bits, so both precisions share the transposition.
#include "gemm_tile.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

typedef uint32_t fk_units __attribute__((vector_size(64), aligned(4), may_alias));

enum { square = 16 };

// Turns 16 rows of 16 units into 16 columns: within quarters by 32 and 64 bits, then quarter by quarter.
FK_INLINE void transpose_square(fk_units rows[square]) {
    fk_units quads[square];
#pragma clang loop unroll(full)
    for (int g = 0; g < square; g += 4) {
        fk_units a = rows[g], b = rows[g + 1], c = rows[g + 2], d = rows[g + 3];
#define FK_LOW32 0, 16, 1, 17, 4, 20, 5, 21, 8, 24, 9, 25, 12, 28, 13, 29
#define FK_HIGH32 2, 18, 3, 19, 6, 22, 7, 23, 10, 26, 11, 27, 14, 30, 15, 31
        fk_units ab0 = __builtin_shufflevector(a, b, FK_LOW32);
        fk_units ab1 = __builtin_shufflevector(a, b, FK_HIGH32);
        fk_units cd0 = __builtin_shufflevector(c, d, FK_LOW32);
        fk_units cd1 = __builtin_shufflevector(c, d, FK_HIGH32);
#define FK_LOW64 0, 1, 16, 17, 4, 5, 20, 21, 8, 9, 24, 25, 12, 13, 28, 29
#define FK_HIGH64 2, 3, 18, 19, 6, 7, 22, 23, 10, 11, 26, 27, 14, 15, 30, 31
        quads[g] = __builtin_shufflevector(ab0, cd0, FK_LOW64);
        quads[g + 1] = __builtin_shufflevector(ab0, cd0, FK_HIGH64);
        quads[g + 2] = __builtin_shufflevector(ab1, cd1, FK_LOW64);
        quads[g + 3] = __builtin_shufflevector(ab1, cd1, FK_HIGH64);
    }
    // quads[4 g + c] holds, quarter by quarter, columns c, c + 4, c + 8, c + 12 of rows 4 g to 4 g + 3.
#define FK_EVEN128 0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19, 24, 25, 26, 27
#define FK_ODD128 4, 5, 6, 7, 12, 13, 14, 15, 20, 21, 22, 23, 28, 29, 30, 31
#pragma clang loop unroll(full)
    for (int c = 0; c < 4; ++c) {
        fk_units even01 = __builtin_shufflevector(quads[c], quads[4 + c], FK_EVEN128);
        fk_units odd01 = __builtin_shufflevector(quads[c], quads[4 + c], FK_ODD128);
        fk_units even23 = __builtin_shufflevector(quads[8 + c], quads[12 + c], FK_EVEN128);
        fk_units odd23 = __builtin_shufflevector(quads[8 + c], quads[12 + c], FK_ODD128);
        rows[c] = __builtin_shufflevector(even01, even23, FK_EVEN128);
        rows[c + 8] = __builtin_shufflevector(even01, even23, FK_ODD128);
        rows[c + 4] = __builtin_shufflevector(odd01, odd23, FK_EVEN128);
        rows[c + 12] = __builtin_shufflevector(odd01, odd23, FK_ODD128);
    }
#undef FK_LOW32
#undef FK_HIGH32
#undef FK_LOW64
#undef FK_HIGH64
#undef FK_EVEN128
#undef FK_ODD128
}

// Writes the first `width` units of each column; width is a constant wherever it is inlined.
FK_INLINE void store_columns(fk_unit *restrict panel, size_t stride, const fk_units columns[square],
                             const size_t width) {
#pragma clang loop unroll(full)
    for (size_t k = 0; k < square; ++k) memcpy(panel + k * stride, &columns[k], width * sizeof(fk_unit));
}

// A whole square of `lanes` lanes that run along depth; lanes is a constant wherever it is inlined.
FK_INLINE void pack_square_f32(fk_unit *restrict panel, size_t stride, const float *restrict lane,
                               size_t laneStride, const size_t lanes) {
    fk_units rows[square];
#pragma clang loop unroll(full)
    for (size_t i = 0; i < square; ++i) {
        rows[i] = i < lanes ? *(const fk_units *)(lane + i * laneStride) : (fk_units){0};
    }
    transpose_square(rows);
    store_columns(panel, stride, rows, lanes);
}

// Float32, lanes along depth: packed panel [depth, width] of up to `count` lanes.
FK_INLINE void pack_lanes_f32(fk_unit *restrict panel, const float *restrict source, size_t laneStride,
                              size_t count, size_t depth, size_t width) {
    for (size_t first = 0; first < width; first += square) {
        size_t slots = width - first < square ? width - first : square;
        size_t have = count <= first ? 0 : count - first < slots ? count - first : slots, k = 0;
        const float *lane = source + first * laneStride;
        if (have == square) {
            for (; k + square <= depth; k += square) {
                pack_square_f32(panel + k * width + first, width, lane + k, laneStride, square);
            }
        } else if (have == FK_LEFT_PANEL) {
            for (; k + square <= depth; k += square) {
                pack_square_f32(panel + k * width + first, width, lane + k, laneStride, FK_LEFT_PANEL);
            }
        }
        for (; k < depth; ++k) {
            float *row = (float *)panel + k * width + first;
            for (size_t i = 0; i < slots; ++i) row[i] = i < have ? lane[i * laneStride + k] : 0.0f;
        }
    }
}

// Float32, lanes next to each other: whole rows are copied.
FK_INLINE void pack_steps_f32(float *restrict panel, const float *restrict source, size_t depthStride,
                              size_t count, size_t depth, size_t width) {
    if (count == FK_RIGHT_PANEL && width == FK_RIGHT_PANEL) {
        for (size_t k = 0; k < depth; ++k) {
            memcpy(panel + k * FK_RIGHT_PANEL, source + k * depthStride, FK_RIGHT_PANEL * sizeof(float));
        }
    } else if (count == FK_LEFT_PANEL && width == FK_LEFT_PANEL) {
        for (size_t k = 0; k < depth; ++k) {
            memcpy(panel + k * FK_LEFT_PANEL, source + k * depthStride, FK_LEFT_PANEL * sizeof(float));
        }
    } else {
        for (size_t k = 0; k < depth; ++k) {
            memcpy(panel + k * width, source + k * depthStride, count * sizeof(float));
            memset(panel + k * width + count, 0, (width - count) * sizeof(float));
        }
    }
}

static FK_KERNEL void pack_panel_f32(void *packed, const float *source, size_t laneStride, size_t depthStride,
                                     size_t count, size_t depth, size_t width) {
    if (laneStride == 1) {
        pack_steps_f32(packed, source, depthStride, count, depth, width);
    } else {
        pack_lanes_f32(packed, source, laneStride, count, depth, width);
    }
}

#if defined(__x86_64__)
#define FK_BF16 __attribute__((target("arch=x86-64-v4,avx512bf16")))
#define FK_BF16_INLINE static inline FK_BF16 __attribute__((always_inline))

int fk_has_bf16(void) { return __builtin_cpu_supports("avx512bf16") != 0; }

// 16 pairs of a lane that runs along depth, the first `count` of up to 32 elements.
FK_BF16_INLINE fk_units pairs_along(const float *lane, size_t count) {
    __m512 low, high;
    if (count >= 32) {
        low = _mm512_loadu_ps(lane);
        high = _mm512_loadu_ps(lane + 16);
    } else {
        uint32_t mask = (1u << count) - 1;
        low = _mm512_maskz_loadu_ps((__mmask16)mask, lane);
        high = count > 16 ? _mm512_maskz_loadu_ps((__mmask16)(mask >> 16), lane + 16) : _mm512_setzero_ps();
    }
    return (fk_units)_mm512_cvtne2ps_pbh(high, low);
}

// 16 pairs of neighbouring lanes from two steps; `mask` says which lanes exist.
FK_BF16_INLINE fk_units pairs_across(const float *even, const float *odd, __mmask16 mask) {
    __m512 low = _mm512_maskz_loadu_ps(mask, even);
    __m512 high = odd ? _mm512_maskz_loadu_ps(mask, odd) : _mm512_setzero_ps();
    __m512i lowBits = _mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh(low));
    __m512i highBits = _mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh(high));
    return (fk_units)_mm512_or_si512(lowBits, _mm512_slli_epi32(highBits, 16));
}

// 16 steps, or fewer, of up to 16 lanes of which `have` exist.
FK_BF16_INLINE void pack_square_bf16(fk_unit *restrict panel, size_t stride, const float *restrict lane,
                                     size_t laneStride, size_t have, size_t slots, size_t depth) {
    fk_units rows[square];
#pragma clang loop unroll(full)
    for (size_t i = 0; i < square; ++i) {
        rows[i] = i < have ? pairs_along(lane + i * laneStride, depth) : (fk_units){0};
    }
    transpose_square(rows);
    size_t steps = (depth + 1) / 2;
    __mmask16 mask = (__mmask16)((1u << slots) - 1);
#pragma clang loop unroll(full)
    for (size_t k = 0; k < square; ++k) {
        if (k < steps) _mm512_mask_storeu_epi32(panel + k * stride, mask, (__m512i)rows[k]);
    }
}

FK_BF16 static void pack_lanes_bf16(fk_unit *restrict panel, const float *restrict source, size_t laneStride,
                                    size_t count, size_t depth, size_t width) {
    for (size_t first = 0; first < width; first += square) {
        size_t slots = width - first < square ? width - first : square;
        size_t have = count <= first ? 0 : count - first < slots ? count - first : slots, k = 0;
        const float *lane = source + first * laneStride;
        fk_unit *target = panel + first;
        // Constants where it pays: whole squares of both kinds of panel.
        if (have == square) {
            for (; k + 2 * square <= depth; k += 2 * square) {
                pack_square_bf16(target + k / 2 * width, width, lane + k, laneStride, square, square,
                                 2 * square);
            }
        } else if (have == FK_LEFT_PANEL && slots == FK_LEFT_PANEL) {
            for (; k + 2 * square <= depth; k += 2 * square) {
                pack_square_bf16(target + k / 2 * width, width, lane + k, laneStride, FK_LEFT_PANEL,
                                 FK_LEFT_PANEL, 2 * square);
            }
        }
        for (; k < depth; k += 2 * square) {
            size_t rest = depth - k < 2 * square ? depth - k : 2 * square;
            pack_square_bf16(target + k / 2 * width, width, lane + k, laneStride, have, slots, rest);
        }
    }
}

FK_BF16 static void pack_steps_bf16(fk_unit *restrict panel, const float *restrict source, size_t depthStride,
                                    size_t count, size_t depth, size_t width) {
    for (size_t k = 0; k < depth; k += 2) {
        const float *even = source + k * depthStride;
        const float *odd = k + 1 < depth ? even + depthStride : NULL;
        for (size_t first = 0; first < width; first += square) {
            size_t slots = width - first < square ? width - first : square;
            size_t have = count <= first ? 0 : count - first < slots ? count - first : slots;
            fk_units pairs =
                pairs_across(even + first, odd ? odd + first : NULL, (__mmask16)((1u << have) - 1));
            _mm512_mask_storeu_epi32(panel + k / 2 * width + first, (__mmask16)((1u << slots) - 1),
                                     (__m512i)pairs);
        }
    }
}

FK_BF16 static void pack_panel_bf16(void *packed, const float *source, size_t laneStride, size_t depthStride,
                                    size_t count, size_t depth, size_t width) {
    if (laneStride == 1) {
        pack_steps_bf16(packed, source, depthStride, count, depth, width);
    } else {
        pack_lanes_bf16(packed, source, laneStride, count, depth, width);
    }
}

FK_BF16 void fk_round_units(fk_unit *restrict units, const float *restrict source, size_t rowStride,
                            size_t depthStride, size_t rows, size_t depth) {
    size_t pairs = (depth + 1) / 2;
    if (depthStride == 1) {
        for (size_t i = 0; i < rows; ++i) {
            for (size_t pair = 0; pair < pairs; pair += square) {
                size_t steps = pairs - pair < square ? pairs - pair : square;
                fk_units values = pairs_along(source + i * rowStride + 2 * pair, depth - 2 * pair);
                _mm512_mask_storeu_epi32(units + i * pairs + pair, (__mmask16)((1u << steps) - 1),
                                         (__m512i)values);
            }
        }
        return;
    }
    for (size_t pair = 0; pair < pairs; ++pair) {
        const float *even = source + 2 * pair * depthStride;
        const float *odd = 2 * pair + 1 < depth ? even + depthStride : NULL;
        for (size_t i = 0; i < rows; i += square) {
            __mmask16 mask = rows - i < square ? (__mmask16)((1u << (rows - i)) - 1) : 0xffff;
            fk_units values = pairs_across(even + i, odd ? odd + i : NULL, mask);
            _mm512_mask_storeu_epi32(units + pair * rows + i, mask, (__m512i)values);
        }
    }
}
#else
int fk_has_bf16(void) { return 0; }

// Never called: bf16 is refused where fk_has_bf16 is 0.
static void pack_panel_bf16(void *packed, const float *source, size_t laneStride, size_t depthStride,
                            size_t count, size_t depth, size_t width) {
    pack_panel_f32(packed, source, laneStride, depthStride, count, depth, width);
}

void fk_round_units(fk_unit *units, const float *source, size_t rowStride, size_t depthStride, size_t rows,
                    size_t depth) {
    (void)depthStride;
    pack_panel_f32(units, source, rowStride, 1, rows, depth, rows);
}
#endif

size_t fk_packed_bytes(size_t lanes, size_t depth, size_t width, int bf16) {
    return fk_panel_count(lanes, width) * width * fk_steps(depth, bf16) * sizeof(fk_unit);
}

void fk_pack_panel(fk_unit *panel, const float *source, size_t laneStride, size_t depthStride, size_t count,
                   size_t depth, size_t width, int bf16) {
    (bf16 ? pack_panel_bf16 : pack_panel_f32)(panel, source, laneStride, depthStride, count, depth, width);
}

// Steps packed of all panels before the next ones, when the lanes of a step lie next to each other: reads
// then run through whole rows.
enum { stepsAtATime = 16 };

void fk_pack(void *packed, fk_factor factor, fk_range panels, fk_range depths, int bf16) {
    size_t width = factor.width, panelCount = fk_panel_count(factor.lanes, width);
    size_t block = fk_block_depth(bf16);
    for (size_t k = depths.begin; k < depths.end;) {
        size_t start = k / block * block;  // of the block that k lies in
        size_t blockDepth = factor.depth - start < block ? factor.depth - start : block;
        size_t end = start + blockDepth < depths.end ? start + blockDepth : depths.end;
        fk_unit *base = (fk_unit *)packed + fk_steps(start, bf16) * panelCount * width;
        while (k < end) {
            size_t steps = factor.laneStride == 1 && end - k > stepsAtATime ? stepsAtATime : end - k;
            for (size_t panel = panels.begin; panel < panels.end; ++panel) {
                size_t lane = panel * width;
                size_t count = factor.lanes - lane < width ? factor.lanes - lane : width;
                fk_pack_panel(base + lane * fk_steps(blockDepth, bf16) + fk_steps(k - start, bf16) * width,
                              factor.values + lane * factor.laneStride + k * factor.depthStride,
                              factor.laneStride, factor.depthStride, count, steps, width, bf16);
            }
            k += steps;
        }
    }
}
