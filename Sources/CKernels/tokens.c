#include "fk_tokens.h"

#include "lanes.h"

FK_INLINE void scaled_row(float *restrict y, const float *restrict x, size_t n, float scale) {
    for (size_t i = 0; i < n; i++) y[i] = scale * x[i];
}

FK_KERNEL void fk_embedding_forward(fk_rows y, const float *restrict table, const int32_t *restrict tokens,
                                    size_t rows, size_t columns, float scale) {
    for (size_t r = 0; r < rows; r++)
        scaled_row(y.first + r * y.stride, table + (size_t)tokens[r] * columns, columns, scale);
}

FK_INLINE void add_scaled_row(float *restrict y, const float *restrict x, size_t n, float scale) {
    for (size_t i = 0; i < n; i++) y[i] += scale * x[i];
}

FK_KERNEL void fk_embedding_backward(fk_rows dTable, fk_const_rows dy, const int32_t *restrict tokens,
                                     size_t rows, fk_range columns, float scale, int32_t padding) {
    for (size_t r = 0; r < rows; r++) {
        if (tokens[r] == padding) continue;
        float *entry = dTable.first + (size_t)tokens[r] * dTable.stride;
        add_scaled_row(entry + columns.begin, dy.first + r * dy.stride + columns.begin,
                       columns.end - columns.begin, scale);
    }
}

FK_KERNEL double fk_embedding_scale_backward(fk_const_rows dy, const float *restrict table,
                                             const int32_t *restrict tokens, size_t rows, size_t columns) {
    FK_REDUCTION
    double total = 0;
    for (size_t r = 0; r < rows; r++) {
        const float *entry = table + (size_t)tokens[r] * columns, *row = dy.first + r * dy.stride;
        float sum = 0;
        for (size_t i = 0; i < columns; i++) sum += row[i] * entry[i];
        total += sum;
    }
    return total;
}

void fk_rotary_table(float *cosine, float *sine, size_t start, size_t positions, size_t half, double theta,
                     double factor) {
    for (size_t i = 0; i < half; i++) {
        // transformers computes power, frequency and angle in float32. The frequency of a better rounding
        // would turn far positions by a different angle: 1e-7 of 200 is 2e-5.
        float frequency = 1.0f / powf((float)theta, (float)i / (float)half) / (float)factor;
        for (size_t p = 0; p < positions; p++) {
            float angle = (float)(start + p) * frequency;
            cosine[p * half + i] = cosf(angle);
            sine[p * half + i] = sinf(angle);
        }
    }
}

// One head [2 half].
FK_INLINE void rotate_head(float *restrict y, const float *restrict x, const float *restrict cosine,
                           const float *restrict sine, size_t half, float direction, int accumulate) {
    const float *a = x, *b = x + half;
    float *p = y, *q = y + half;
    if (accumulate)
        for (size_t i = 0; i < half; i++) {
            p[i] += a[i] * cosine[i] - direction * (b[i] * sine[i]);
            q[i] += b[i] * cosine[i] + direction * (a[i] * sine[i]);
        }
    else
        for (size_t i = 0; i < half; i++) {
            p[i] = a[i] * cosine[i] - direction * (b[i] * sine[i]);
            q[i] = b[i] * cosine[i] + direction * (a[i] * sine[i]);
        }
}

FK_KERNEL void fk_rotary(fk_rows y, fk_const_rows x, fk_rotary_angles angles, size_t rows, size_t heads,
                         float direction, int accumulate) {
    size_t half = angles.half;
    for (size_t r = 0; r < rows; r++) {
        size_t place = (size_t)angles.positions[r] * half;
        for (size_t h = 0; h < heads; h++) {
            size_t channel = h * 2 * half;
            rotate_head(y.first + r * y.stride + channel, x.first + r * x.stride + channel,
                        angles.cosine + place, angles.sine + place, half, direction, accumulate);
        }
    }
}

// Logits whose exponentials share a shift.
enum { lossBlocks = 64, leastLossBlock = 2048 };

// Largest of x [n] and `least`. A NaN among them reaches the loss through the sum of exponentials.
FK_INLINE float largest(const float *restrict x, size_t n, float least) {
    fk_lanes lanes = (fk_lanes){0} + least;
    size_t i = 0;
    for (; i + laneCount <= n; i += laneCount) fk_lanes_keep_larger(&lanes, &FK_CONST_LANES(x + i));
    least = fk_lanes_largest(&lanes);
    for (; i < n; i++) least = x[i] > least ? x[i] : least;
    return least;
}

// The sum of e^(x - shift) over [n]; the exponentials replace x when they are kept.
FK_INLINE float exponentials(float *restrict x, size_t n, float shift, const int isKept) {
    FK_REDUCTION
    float sum = 0;
    for (size_t i = 0; i < n; i++) {
        float value = fk_exp(x[i] - shift);
        sum += value;
        if (isKept) x[i] = value;
    }
    return sum;
}

// The largest of a row of logits and the sum of their exponentials, shifted by it.
struct softmax_sum {
    float largest, sum;
};

// In one pass over blocks that stay in the first-level cache, with the largest logit so far as the shift.
// When they are kept, logits become exponentials, each block with its own shift.
FK_INLINE struct softmax_sum softmax_row(float *restrict row, float *restrict shifts, size_t n, size_t block,
                                         const int isKept) {
    // Not -infinity: a first block of only -infinity must give zeros.
    struct softmax_sum total = {-3.4e38f, 0};
    for (size_t start = 0; start < n; start += block) {
        size_t count = n - start < block ? n - start : block;
        float shift = largest(row + start, count, total.largest);
        float sum = exponentials(row + start, count, shift, isKept);
        total.sum = total.sum * fk_exp(total.largest - shift) + sum;
        total.largest = shifts[start / block] = shift;
    }
    return total;
}

FK_INLINE int32_t first_place(const float *row, size_t n, float value) {
    size_t i = 0;
    while (i + 1 < n && row[i] != value) i++;
    return (int32_t)i;
}

FK_KERNEL void fk_cross_entropy(float *restrict loss, int32_t *restrict best, fk_rows logits,
                                const int32_t *restrict targets, size_t rows, size_t vocabulary, float zLoss,
                                float gradientScale) {
    size_t block = (vocabulary + lossBlocks - 1) / lossBlocks;
    if (block < leastLossBlock) block = leastLossBlock;
    for (size_t r = 0; r < rows; r++) {
        float *row = logits.first + r * logits.stride, shifts[lossBlocks];
        int32_t target = targets[r];
        if (best) best[r] = first_place(row, vocabulary, largest(row, vocabulary, -INFINITY));
        if (target < 0) {
            loss[r] = 0;
            if (gradientScale != 0) memset(row, 0, vocabulary * sizeof(float));
            continue;
        }
        float logit = row[target];
        struct softmax_sum total = gradientScale != 0 ? softmax_row(row, shifts, vocabulary, block, 1)
                                                      : softmax_row(row, shifts, vocabulary, block, 0);
        float logSum = logf(total.sum), lse = total.largest + logSum;
        loss[r] = (logSum - (logit - total.largest)) + zLoss * lse * lse;
        if (gradientScale == 0) continue;
        float scale = gradientScale * (1.0f + 2.0f * zLoss * lse) / total.sum;
        for (size_t start = 0; start < vocabulary; start += block) {
            size_t end = vocabulary - start < block ? vocabulary : start + block;
            float factor = scale * fk_exp(shifts[start / block] - total.largest);
            for (size_t i = start; i < end; i++) row[i] *= factor;
        }
        row[target] -= gradientScale;
    }
}
