// Embedding, rotary positions, and the loss over the vocabulary.
#ifndef FK_TOKENS_H
#define FK_TOKENS_H

#include "fk_common.h"

// y [rows, columns] = scale * table[token]; table [vocabulary, columns]
void fk_embedding_forward(float *y, const float *table, const int32_t *tokens, size_t rows, size_t columns,
                          size_t strideY, float scale);

// dTable[token][first..<end] += scale * dy, for all rows in order; rows with token == padding add nothing
void fk_embedding_backward(float *dTable, const float *dy, const int32_t *tokens, size_t rows, size_t columns,
                           size_t strideDY, size_t first, size_t end, float scale, int32_t padding);

// sum over rows of dy . table[token]: the gradient of a scale of all looked-up rows, in double
double fk_embedding_scale_backward(const float *dy, const float *table, const int32_t *tokens, size_t rows,
                                   size_t columns, size_t strideDY);

// cosine, sine [positions, half]: angle = position * theta^(-i / half) / factor, i = 0..<half, position
// from `start`
void fk_rotary_table(float *cosine, float *sine, size_t start, size_t positions, size_t half, double theta,
                     double factor);

// y [rows, heads, 2 half] = x rotated; channel i pairs with i + half; direction +1 forward, -1 backward;
// positions [rows] index the table; accumulate adds into y instead of storing
void fk_rotary(float *y, const float *x, const int32_t *positions, const float *cosine, const float *sine,
               size_t rows, size_t heads, size_t half, size_t strideY, size_t strideX, float direction,
               int accumulate);

// Cross-entropy over rows of logits [rows, vocabulary], in place.
// loss [rows] = lse - logit[target] + zLoss lse^2, 0 where target < 0; best [rows] = argmax, if not NULL.
// With gradientScale != 0 the logits become gradientScale * d loss / d logits (0 where target < 0).
void fk_cross_entropy(float *loss, int32_t *best, float *logits, const int32_t *targets, size_t rows,
                      size_t vocabulary, size_t stride, float zLoss, float gradientScale);

#endif
