// Tiles of sums in registers.
//
// On AVX-512 a tile of 12 x 32 sums is 24 vectors of 16: at each step two loads from the right panel and
// twelve broadcasts from the left factor feed 24 multiply-adds. A rest below 12 rows, and narrower machines,
// use strips of 4 rows; a single row, as in generation, is alone. Each sum is formed alike.
#include "gemm_tile.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

// Terms of a float32 sum added up in one chain: the error of a sum grows with its length, and chains of
// 256 tripled the error of trained logits.
enum { longest_chain = 64, strip = 4 };

// Pointers to the rows of a strip; rows that do not exist repeat the last one and are not stored.
struct strip_rows {
    const fk_unit *row[strip];
};

FK_INLINE struct strip_rows strip_at(const fk_unit *left, size_t leftRow, size_t first, size_t rows) {
    struct strip_rows result;
    for (size_t i = 0; i < strip; ++i) {
        result.row[i] = left + (first + i < rows ? first + i : rows - 1) * leftRow;
    }
    return result;
}

FK_INLINE float float_of(fk_unit unit) {
    float value;
    memcpy(&value, &unit, sizeof value);
    return value;
}

// c = beta c + alpha sums for `rows` rows of sums [4, 32].
FK_INLINE void store_strip(const struct fk_target *to, size_t first, const float *restrict sums) {
    for (size_t i = 0; i < strip && first + i < to->rows; ++i) {
        float *restrict row = to->c + (first + i) * to->stride;
        const float *restrict sum = sums + i * FK_RIGHT_PANEL;
        if (to->beta == 0.0f) {
            for (size_t j = 0; j < to->columns; ++j) row[j] = to->alpha * sum[j];
        } else {
            for (size_t j = 0; j < to->columns; ++j) row[j] = to->beta * row[j] + to->alpha * sum[j];
        }
    }
}

// A tile for vectors of `lanes` floats: strips of 4 rows, two vectors of columns at a time.
#define FK_DEFINE_TILE(name, attributes, vector, lanes)                                            \
    attributes static void name(const struct fk_target *to, const fk_unit *left, size_t leftRow,   \
                                size_t leftStep, const fk_unit *panel, size_t steps) {             \
        float tile[strip * FK_RIGHT_PANEL] __attribute__((aligned(64)));                           \
        for (size_t i = 0; i < to->rows; i += strip) {                                             \
            struct strip_rows rows = strip_at(left, leftRow, i, to->rows);                         \
            for (size_t j = 0; j < to->columns; j += 2 * lanes) {                                  \
                vector total[strip][2];                                                            \
                for (int r = 0; r < strip; ++r) total[r][0] = total[r][1] = (vector){0};           \
                for (size_t k0 = 0; k0 < steps; k0 += longest_chain) {                             \
                    size_t k1 = steps - k0 < longest_chain ? steps : k0 + longest_chain;           \
                    vector sums[strip][2];                                                         \
                    for (int r = 0; r < strip; ++r) sums[r][0] = sums[r][1] = (vector){0};         \
                    for (size_t k = k0; k < k1; ++k) {                                             \
                        vector first = *(const vector *)(panel + k * FK_RIGHT_PANEL + j);          \
                        vector second = *(const vector *)(panel + k * FK_RIGHT_PANEL + j + lanes); \
                        for (int r = 0; r < strip; ++r) {                                          \
                            float one = float_of(rows.row[r][k * leftStep]);                       \
                            sums[r][0] += one * first;                                             \
                            sums[r][1] += one * second;                                            \
                        }                                                                          \
                    }                                                                              \
                    for (int r = 0; r < strip; ++r) {                                              \
                        total[r][0] += sums[r][0];                                                 \
                        total[r][1] += sums[r][1];                                                 \
                    }                                                                              \
                }                                                                                  \
                for (int r = 0; r < strip; ++r) {                                                  \
                    *(vector *)(tile + r * FK_RIGHT_PANEL + j) = total[r][0];                      \
                    *(vector *)(tile + r * FK_RIGHT_PANEL + j + lanes) = total[r][1];              \
                }                                                                                  \
            }                                                                                      \
            store_strip(to, i, tile);                                                              \
        }                                                                                          \
    }

typedef float fk_lanes4 __attribute__((vector_size(16), aligned(4), may_alias));
FK_DEFINE_TILE(tile_any, , fk_lanes4, 4)

#if defined(__x86_64__)
#define FK_V3 __attribute__((target("arch=x86-64-v3")))
#define FK_V4 __attribute__((target("arch=x86-64-v4")))
#define FK_BF16 __attribute__((target("arch=x86-64-v4,avx512bf16")))
typedef float fk_lanes8 __attribute__((vector_size(32), aligned(4), may_alias));
FK_DEFINE_TILE(tile_v3, FK_V3, fk_lanes8, 8)

// The existing lanes of the two vectors of a row.
struct lane_masks {
    __mmask16 low, high;
};

FK_INLINE struct lane_masks masks_of(size_t columns) {
    uint32_t mask = columns >= 32 ? UINT32_MAX : ((uint32_t)1 << columns) - 1;
    return (struct lane_masks){(__mmask16)mask, (__mmask16)(mask >> 16)};
}

// Row i of c = beta c + alpha sums.
#define FK_STORE_ROW(to, i, first, second, masks)                                              \
    do {                                                                                       \
        float *row = (to)->c + (size_t)(i) * (to)->stride;                                     \
        __m512 alpha = _mm512_set1_ps((to)->alpha), beta = _mm512_set1_ps((to)->beta);         \
        __m512 low = _mm512_mul_ps(alpha, first), high = _mm512_mul_ps(alpha, second);         \
        if ((to)->beta != 0.0f) {                                                              \
            low = _mm512_fmadd_ps(beta, _mm512_maskz_loadu_ps((masks).low, row), low);         \
            high = _mm512_fmadd_ps(beta, _mm512_maskz_loadu_ps((masks).high, row + 16), high); \
        }                                                                                      \
        _mm512_mask_storeu_ps(row, (masks).low, low);                                          \
        _mm512_mask_storeu_ps(row + 16, (masks).high, high);                                   \
    } while (0)

// The two multiply-adds of a row at one step.
#define FK_STEP_F32(sums, unit, first, second)               \
    do {                                                     \
        __m512 one = _mm512_set1_ps(float_of(unit));         \
        (sums)[0] = _mm512_fmadd_ps(one, first, (sums)[0]);  \
        (sums)[1] = _mm512_fmadd_ps(one, second, (sums)[1]); \
    } while (0)
#define FK_STEP_BF16(sums, unit, first, second)                            \
    do {                                                                   \
        __m512bh pair = (__m512bh)_mm512_set1_epi32((int)(unit));          \
        (sums)[0] = _mm512_dpbf16_ps((sums)[0], pair, (__m512bh)(first));  \
        (sums)[1] = _mm512_dpbf16_ps((sums)[1], pair, (__m512bh)(second)); \
    } while (0)

// A tile of 12 rows, or strips of 4 rows or of 1; `height` is a constant wherever it is inlined. Sums run
// for `chain` steps; the chains are added up in `kept`.
#define FK_DEFINE_WIDE_TILE(name, attributes, STEP, chain)                                              \
    attributes static inline __attribute__((always_inline)) void name##_strip(                          \
        const struct fk_target *to, size_t first, const fk_unit *left, size_t leftRow, size_t leftStep, \
        const fk_unit *panel, size_t steps, const size_t height) {                                      \
        struct lane_masks masks = masks_of(to->columns);                                                \
        struct strip_rows rows = strip_at(left, leftRow, first, to->rows);                              \
        __m512 total[strip][2], sums[strip][2];                                                         \
        FK_UNROLLED (i, height) total[i][0] = total[i][1] = _mm512_setzero_ps();                        \
        for (size_t k0 = 0; k0 < steps; k0 += chain) {                                                  \
            size_t k1 = steps - k0 < chain ? steps : k0 + chain;                                        \
            FK_UNROLLED (i, height) sums[i][0] = sums[i][1] = _mm512_setzero_ps();                      \
            for (size_t k = k0; k < k1; ++k) {                                                          \
                __m512 low = _mm512_loadu_ps(panel + k * FK_RIGHT_PANEL);                               \
                __m512 high = _mm512_loadu_ps(panel + k * FK_RIGHT_PANEL + 16);                         \
                FK_UNROLLED (i, height) STEP(sums[i], rows.row[i][k * leftStep], low, high);            \
            }                                                                                           \
            FK_UNROLLED (i, height) {                                                                   \
                total[i][0] = _mm512_add_ps(total[i][0], sums[i][0]);                                   \
                total[i][1] = _mm512_add_ps(total[i][1], sums[i][1]);                                   \
            }                                                                                           \
        }                                                                                               \
        FK_UNROLLED (i, height) {                                                                       \
            if (first + i < to->rows) FK_STORE_ROW(to, first + i, total[i][0], total[i][1], masks);     \
        }                                                                                               \
    }                                                                                                   \
                                                                                                        \
    attributes static void name(const struct fk_target *to, const fk_unit *left, size_t leftRow,        \
                                size_t leftStep, const fk_unit *panel, size_t steps) {                  \
        if (to->rows < FK_LEFT_PANEL) {                                                                 \
            for (size_t first = 0; first < to->rows; first += strip) {                                  \
                if (to->rows - first == 1) {                                                            \
                    name##_strip(to, first, left, leftRow, leftStep, panel, steps, 1);                  \
                } else {                                                                                \
                    name##_strip(to, first, left, leftRow, leftStep, panel, steps, strip);              \
                }                                                                                       \
            }                                                                                           \
            return;                                                                                     \
        }                                                                                               \
        float kept[FK_LEFT_PANEL][FK_RIGHT_PANEL] __attribute__((aligned(64)));                         \
        __m512 sums[FK_LEFT_PANEL][2];                                                                  \
        /* Three rows from each of four pointers. */                                                    \
        const fk_unit *row0 = left, *row3 = left + 3 * leftRow;                                         \
        const fk_unit *row6 = left + 6 * leftRow, *row9 = left + 9 * leftRow;                           \
        for (size_t k0 = 0; k0 < steps; k0 += chain) {                                                  \
            size_t k1 = steps - k0 < chain ? steps : k0 + chain;                                        \
            FK_UNROLLED (i, FK_LEFT_PANEL) sums[i][0] = sums[i][1] = _mm512_setzero_ps();               \
            for (size_t k = k0; k < k1; ++k) {                                                          \
                __m512 low = _mm512_loadu_ps(panel + k * FK_RIGHT_PANEL);                               \
                __m512 high = _mm512_loadu_ps(panel + k * FK_RIGHT_PANEL + 16);                         \
                FK_UNROLLED (i, 3) STEP(sums[i], row0[i * leftRow], low, high);                         \
                FK_UNROLLED (i, 3) STEP(sums[3 + i], row3[i * leftRow], low, high);                     \
                FK_UNROLLED (i, 3) STEP(sums[6 + i], row6[i * leftRow], low, high);                     \
                FK_UNROLLED (i, 3) STEP(sums[9 + i], row9[i * leftRow], low, high);                     \
                row0 += leftStep, row3 += leftStep, row6 += leftStep, row9 += leftStep;                 \
            }                                                                                           \
            if (k0 > 0) {                                                                               \
                FK_UNROLLED (i, FK_LEFT_PANEL) {                                                        \
                    sums[i][0] = _mm512_add_ps(_mm512_load_ps(kept[i]), sums[i][0]);                    \
                    sums[i][1] = _mm512_add_ps(_mm512_load_ps(kept[i] + 16), sums[i][1]);               \
                }                                                                                       \
            }                                                                                           \
            if (k1 < steps) {                                                                           \
                FK_UNROLLED (i, FK_LEFT_PANEL) {                                                        \
                    _mm512_store_ps(kept[i], sums[i][0]);                                               \
                    _mm512_store_ps(kept[i] + 16, sums[i][1]);                                          \
                }                                                                                       \
            }                                                                                           \
        }                                                                                               \
        struct lane_masks masks = masks_of(to->columns);                                                \
        FK_UNROLLED (i, FK_LEFT_PANEL) FK_STORE_ROW(to, i, sums[i][0], sums[i][1], masks);              \
    }
#define FK_UNROLLED(i, count) _Pragma("clang loop unroll(full)") for (size_t i = 0; i < count; ++i)

FK_DEFINE_WIDE_TILE(tile_v4, FK_V4, FK_STEP_F32, longest_chain)
FK_DEFINE_WIDE_TILE(tile_bf16, FK_BF16, FK_STEP_BF16, SIZE_MAX)
#endif

fk_tile fk_tile_for(int bf16) {
#if defined(__x86_64__)
    if (bf16) return tile_bf16;
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl")) return tile_v4;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return tile_v3;
#else
    (void)bf16;
#endif
    return tile_any;
}
