#include "fk_elementwise.h"

FK_KERNEL void fk_fill(float *restrict y, size_t n, float value) {
    for (size_t i = 0; i < n; i++) y[i] = value;
}

FK_KERNEL void fk_fill_rows(fk_rows y, size_t rows, size_t columns, float value) {
    for (size_t r = 0; r < rows; r++)
        for (size_t i = 0; i < columns; i++) y.first[r * y.stride + i] = value;
}

FK_INLINE void copy_row(float *restrict y, const float *restrict x, size_t columns, float scale) {
    for (size_t i = 0; i < columns; i++) y[i] = scale * x[i];
}

FK_KERNEL void fk_copy_rows(fk_rows y, fk_const_rows x, size_t rows, size_t columns, float scale) {
    for (size_t r = 0; r < rows; r++)
        copy_row(y.first + r * y.stride, x.first + r * x.stride, columns, scale);
}

FK_INLINE void add_row(float *restrict y, const float *restrict x, size_t columns, float scale) {
    for (size_t i = 0; i < columns; i++) y[i] += scale * x[i];
}

FK_KERNEL void fk_add_rows(fk_rows y, fk_const_rows x, size_t rows, size_t columns, float scale) {
    for (size_t r = 0; r < rows; r++) add_row(y.first + r * y.stride, x.first + r * x.stride, columns, scale);
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

FK_INLINE void swiglu_row(float *restrict y, const float *restrict gate, const float *restrict up,
                          size_t columns) {
    for (size_t i = 0; i < columns; i++) y[i] = up[i] * fk_silu(gate[i]);
}

FK_KERNEL void fk_swiglu_forward(fk_rows y, fk_swiglu_inputs inputs, size_t rows, size_t columns) {
    fk_const_rows gate = inputs.gate, up = inputs.up;
    for (size_t r = 0; r < rows; r++)
        swiglu_row(y.first + r * y.stride, gate.first + r * gate.stride, up.first + r * up.stride, columns);
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

FK_KERNEL void fk_swiglu_backward(fk_swiglu_gradients gradients, fk_const_rows dy, fk_swiglu_inputs inputs,
                                  size_t rows, size_t columns) {
    fk_rows dGate = gradients.gate, dUp = gradients.up;
    fk_const_rows gate = inputs.gate, up = inputs.up;
    for (size_t r = 0; r < rows; r++) {
        float *dGateRow = dGate.first + r * dGate.stride, *dUpRow = dUp.first + r * dUp.stride;
        const float *dyRow = dy.first + r * dy.stride;
        const float *gateRow = gate.first + r * gate.stride, *upRow = up.first + r * up.stride;
        if (gradients.accumulate) {
            swiglu_row_backward(dGateRow, dUpRow, dyRow, gateRow, upRow, columns, 1);
        } else {
            swiglu_row_backward(dGateRow, dUpRow, dyRow, gateRow, upRow, columns, 0);
        }
    }
}
