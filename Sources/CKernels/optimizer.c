#include "fk_optimizer.h"

FK_KERNEL void fk_adamw(float *restrict w, float *restrict m, float *restrict v, float *restrict g, size_t n,
                        fk_adamw_step step) {
    float clip = step.clip, beta1 = step.beta1, beta2 = step.beta2, epsilon = step.epsilon;
    float keep = 1.0f - step.rate * step.decay, rate = step.rate / step.correction1;
    float root = 1.0f / sqrtf(step.correction2);
    float rest1 = 1.0f - beta1, rest2 = 1.0f - beta2;
    for (size_t i = 0; i < n; i++) {
        float gradient = clip * g[i];
        float first = beta1 * m[i] + rest1 * gradient;
        float second = beta2 * v[i] + rest2 * (gradient * gradient);
        g[i] = 0.0f;
        m[i] = first;
        v[i] = second;
        w[i] = keep * w[i] - rate * (first / (sqrtf(second) * root + epsilon));
    }
}

FK_KERNEL double fk_adamw_update_squares(const float *restrict m, const float *restrict v, size_t n,
                                         fk_adamw_step step) {
    FK_REDUCTION
    float rate = step.rate / step.correction1, root = 1.0f / sqrtf(step.correction2), epsilon = step.epsilon;
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        float update = rate * (m[i] / (sqrtf(v[i]) * root + epsilon));
        sum += (double)update * (double)update;
    }
    return sum;
}

FK_KERNEL void fk_muon_momentum(float *restrict m, float *restrict u, float *restrict g, size_t n, float clip,
                                float mu, int nesterov) {
    float rest = 1.0f - mu;
    for (size_t i = 0; i < n; i++) {
        float part = rest * (clip * g[i]);
        float buffer = mu * m[i] + part;
        g[i] = 0.0f;
        m[i] = buffer;
        u[i] = nesterov ? part + mu * buffer : buffer;
    }
}

FK_KERNEL void fk_decayed_step(float *restrict w, const float *restrict u, size_t n, float keep, float rate) {
    for (size_t i = 0; i < n; i++) w[i] = keep * w[i] - rate * u[i];
}

// A row; c may be NULL.
FK_INLINE void scale_row(float *restrict v, const float *restrict w, const float *restrict c, size_t columns,
                         float scale) {
    if (c)
        for (size_t j = 0; j < columns; j++) v[j] = scale * w[j] * c[j];
    else
        for (size_t j = 0; j < columns; j++) v[j] = scale * w[j];
}

FK_KERNEL void fk_scale_rows_columns(float *v, fk_scaled_matrix matrix) {
    size_t columns = matrix.columns;
    for (size_t i = 0; i < matrix.rows; i++) {
        float scale = matrix.r ? matrix.r[i * matrix.stepR] : 1.0f;
        scale_row(v + i * columns, matrix.w + i * columns, matrix.c, columns, scale);
    }
}

// One row: with a constant mask of what exists, each variant is a loop of its own.
FK_INLINE double split_row(float *restrict g, float *restrict dC, const float *restrict w, float scale,
                           const float *restrict c, size_t columns) {
    FK_REDUCTION
    float sums[16] = {0};
    size_t whole = columns / 16 * 16;
    for (size_t j = 0; j < whole; j += 16)
        for (size_t k = 0; k < 16; k++) {
            float product = w[j + k] * g[j + k], factor = c ? c[j + k] : 1.0f;
            sums[k] += product * factor;
            if (dC) dC[j + k] += scale * product;
            g[j + k] *= scale * factor;
        }
    for (size_t j = whole; j < columns; j++) {
        float product = w[j] * g[j], factor = c ? c[j] : 1.0f;
        sums[j - whole] += product * factor;
        if (dC) dC[j] += scale * product;
        g[j] *= scale * factor;
    }
    double sum = 0;
    for (size_t k = 0; k < 16; k++) sum += sums[k];
    return sum;
}

FK_KERNEL void fk_split_scaled_gradient(float *restrict g, double *restrict rowSums, float *restrict dC,
                                        fk_scaled_matrix matrix) {
    size_t columns = matrix.columns;
    const float *c = matrix.c;
    for (size_t i = 0; i < matrix.rows; i++) {
        float scale = matrix.r ? matrix.r[i * matrix.stepR] : 1.0f;
        float *gRow = g + i * columns;
        const float *wRow = matrix.w + i * columns;
        if (c && dC) {
            rowSums[i] = split_row(gRow, dC, wRow, scale, c, columns);
        } else {
            rowSums[i] = split_row(gRow, NULL, wRow, scale, NULL, columns);
        }
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
    for (size_t i = 0; i < n; i++) y[i] = (float)(random_bits(key, first + i) >> 40) * 0x1.0p-24f;
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
