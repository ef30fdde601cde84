// Sixteen floats at a time, for loops that the compiler does not vectorise well by itself: short rows,
// rows that end inside a vector, sums of many rows. One AVX-512 register, two of AVX2, four of the
// baseline. Functions take addresses, because a vector argument depends on the instruction set.
// Not part of the kernels' interface.
#ifndef FK_LANES_H
#define FK_LANES_H

#include "fk_common.h"

enum { laneCount = 16 };

typedef float fk_lanes __attribute__((vector_size(64), aligned(4)));
typedef int32_t fk_lane_mask __attribute__((vector_size(64), aligned(4)));

// The sixteen floats at an address.
#define FK_LANES(address) (*(fk_lanes *)(address))
#define FK_CONST_LANES(address) (*(const fk_lanes *)(address))

// 0, 1, 2, ... in the lanes.
#define FK_LANE_ORDER ((fk_lane_mask){0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15})

// x = fk_exp(x)
FK_INLINE void fk_lanes_exp(fk_lanes *x) {
    float values[laneCount];
    memcpy(values, x, sizeof values);
    for (size_t l = 0; l < laneCount; ++l) values[l] = fk_exp(values[l]);
    memcpy(x, values, sizeof values);
}

// x = fk_sigmoid(x)
FK_INLINE void fk_lanes_sigmoid(fk_lanes *x) {
    float values[laneCount];
    memcpy(values, x, sizeof values);
    for (size_t l = 0; l < laneCount; ++l) values[l] = fk_sigmoid(values[l]);
    memcpy(x, values, sizeof values);
}

// x = y where y > x
FK_INLINE void fk_lanes_keep_larger(fk_lanes *x, const fk_lanes *y) {
    float kept[laneCount], offered[laneCount];
    memcpy(kept, x, sizeof kept);
    memcpy(offered, y, sizeof offered);
    for (size_t l = 0; l < laneCount; ++l) kept[l] = offered[l] > kept[l] ? offered[l] : kept[l];
    memcpy(x, kept, sizeof kept);
}

// x = 0 in the lanes from `count` on
FK_INLINE void fk_lanes_keep_first(fk_lanes *x, size_t count) {
    *x = (fk_lanes)((FK_LANE_ORDER < (int32_t)count) & (fk_lane_mask)*x);
}

// x = 0 in the lanes before `first`
FK_INLINE void fk_lanes_keep_from(fk_lanes *x, size_t first) {
    *x = (fk_lanes)((FK_LANE_ORDER >= (int32_t)first) & (fk_lane_mask)*x);
}

// The largest of all lanes.
FK_INLINE float fk_lanes_largest(const fk_lanes *x) {
    fk_lanes a = *x, b;
    b = __builtin_shufflevector(a, a, 8, 9, 10, 11, 12, 13, 14, 15, 8, 9, 10, 11, 12, 13, 14, 15);
    fk_lanes_keep_larger(&a, &b);
    b = __builtin_shufflevector(a, a, 4, 5, 6, 7, 4, 5, 6, 7, 4, 5, 6, 7, 4, 5, 6, 7);
    fk_lanes_keep_larger(&a, &b);
    b = __builtin_shufflevector(a, a, 2, 3, 2, 3, 2, 3, 2, 3, 2, 3, 2, 3, 2, 3, 2, 3);
    fk_lanes_keep_larger(&a, &b);
    return a[1] > a[0] ? a[1] : a[0];
}

// The sum of all lanes, in pairs.
FK_INLINE float fk_lanes_sum(const fk_lanes *x) {
    fk_lanes a = *x;
    a += __builtin_shufflevector(a, a, 8, 9, 10, 11, 12, 13, 14, 15, 8, 9, 10, 11, 12, 13, 14, 15);
    a += __builtin_shufflevector(a, a, 4, 5, 6, 7, 4, 5, 6, 7, 4, 5, 6, 7, 4, 5, 6, 7);
    a += __builtin_shufflevector(a, a, 2, 3, 2, 3, 2, 3, 2, 3, 2, 3, 2, 3, 2, 3, 2, 3);
    return a[0] + a[1];
}
#endif
