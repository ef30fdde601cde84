#include "fk_elementwise.h"

FK_KERNEL void fk_fill(float *restrict y, size_t n, float value) {
    for (size_t i = 0; i < n; i++) y[i] = value;
}

FK_KERNEL void fk_fill_rows(float *restrict y, size_t rows, size_t columns, size_t strideY, float value) {
    for (size_t r = 0; r < rows; r++)
        for (size_t i = 0; i < columns; i++) y[r * strideY + i] = value;
}

FK_KERNEL void fk_copy_rows(float *restrict y, const float *restrict x, size_t rows, size_t columns,
                            size_t strideY, size_t strideX, float scale) {
    for (size_t r = 0; r < rows; r++)
        for (size_t i = 0; i < columns; i++) y[r * strideY + i] = scale * x[r * strideX + i];
}

FK_KERNEL void fk_add_rows(float *restrict y, const float *restrict x, size_t rows, size_t columns,
                           size_t strideY, size_t strideX, float scale) {
    for (size_t r = 0; r < rows; r++)
        for (size_t i = 0; i < columns; i++) y[r * strideY + i] += scale * x[r * strideX + i];
}

FK_KERNEL void fk_sum(float *restrict y, const float *restrict a, const float *restrict b,
                      const float *restrict c, size_t n) {
    if (c)
        for (size_t i = 0; i < n; i++) y[i] = a[i] + (b[i] + c[i]);
    else
        for (size_t i = 0; i < n; i++) y[i] = a[i] + b[i];
}

FK_KERNEL void fk_reduce_partials(float *restrict y, const float *restrict partial, size_t pieces, size_t n) {
    for (size_t p = 0; p < pieces; p++)
        for (size_t i = 0; i < n; i++) y[i] += partial[p * n + i];
}

FK_KERNEL double fk_sum_of_squares(const float *restrict x, size_t n) {
    FK_REDUCTION
    double sum = 0;
    for (size_t i = 0; i < n; i++) sum += (double)x[i] * (double)x[i];
    return sum;
}

// Whether any of x [n] has an exponent of ones.
FK_KERNEL static int hasNotFinite(const float *restrict x, size_t n) {
    uint32_t found = 0;
    for (size_t i = 0; i < n; i++) {
        uint32_t bits;
        memcpy(&bits, x + i, sizeof bits);
        found |= (bits & 0x7f800000u) == 0x7f800000u;
    }
    return (int)found;
}

size_t fk_first_not_finite(const float *x, size_t n) {
    const size_t block = 4096;
    for (size_t start = 0; start < n; start += block) {
        size_t end = n - start < block ? n : start + block;
        if (!hasNotFinite(x + start, end - start)) continue;
        for (size_t i = start; i < end; i++)
            if (!isfinite(x[i])) return i;
    }
    return n;
}

FK_KERNEL void fk_scale(float *restrict x, size_t n, float scale) {
    for (size_t i = 0; i < n; i++) x[i] *= scale;
}

FK_KERNEL void fk_swiglu_forward(float *restrict y, const float *restrict gate, const float *restrict up,
                                 size_t rows, size_t columns, size_t strideY, size_t strideGate,
                                 size_t strideUp) {
    for (size_t r = 0; r < rows; r++)
        for (size_t i = 0; i < columns; i++)
            y[r * strideY + i] = up[r * strideUp + i] * fk_silu(gate[r * strideGate + i]);
}

FK_INLINE void swiglu_row_backward(float *restrict dGate, float *restrict dUp, const float *restrict dy,
                                   const float *restrict gate, const float *restrict up, size_t columns,
                                   const int accumulate) {
    for (size_t i = 0; i < columns; i++) {
        float g = gate[i], d = dy[i], s = fk_sigmoid(g);
        float toUp = d * (g * s), toGate = d * up[i] * (s * (1.0f + g * (1.0f - s)));
        dUp[i] = accumulate ? dUp[i] + toUp : toUp;
        dGate[i] = accumulate ? dGate[i] + toGate : toGate;
    }
}

FK_KERNEL void fk_swiglu_backward(float *restrict dGate, float *restrict dUp, const float *restrict dy,
                                  const float *restrict gate, const float *restrict up, size_t rows,
                                  size_t columns, size_t strideDGate, size_t strideDUp, size_t strideDY,
                                  size_t strideGate, size_t strideUp, int accumulate) {
    for (size_t r = 0; r < rows; r++) {
        float *dGateRow = dGate + r * strideDGate, *dUpRow = dUp + r * strideDUp;
        const float *dyRow = dy + r * strideDY, *gateRow = gate + r * strideGate, *upRow = up + r * strideUp;
        if (accumulate) {
            swiglu_row_backward(dGateRow, dUpRow, dyRow, gateRow, upRow, columns, 1);
        } else {
            swiglu_row_backward(dGateRow, dUpRow, dyRow, gateRow, upRow, columns, 0);
        }
    }
}
