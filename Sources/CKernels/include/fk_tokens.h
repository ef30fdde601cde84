// Embedding, rotary positions, and the loss over the vocabulary.
#ifndef FK_TOKENS_H
#define FK_TOKENS_H

#include "fk_common.h"

// y [rows, columns] = scale * table[token]; table [vocabulary, columns], tokens [rows]
void fk_embedding_forward(fk_rows y, const float *table, const int32_t *tokens, size_t rows, size_t columns,
                          float scale);

// dTable [vocabulary, all columns]: dTable[token] += scale * dy on some columns, for all rows in order; rows
// with token == padding add nothing; dy [rows, all columns]
void fk_embedding_backward(fk_rows dTable, fk_const_rows dy, const int32_t *tokens, size_t rows,
                           fk_range columns, float scale, int32_t padding);

// sum over rows of dy . table[token]: the gradient of a scale of all looked-up rows, in double
double fk_embedding_scale_backward(fk_const_rows dy, const float *table, const int32_t *tokens, size_t rows,
                                   size_t columns);

// cosine, sine [positions, half]: angle = position * theta^(-i / half) / factor, i = 0..<half, position
// from `start`
void fk_rotary_table(float *cosine, float *sine, size_t start, size_t positions, size_t half, double theta,
                     double factor);

// The angles of rows.
typedef struct fk_rotary_angles {
    const float *cosine, *sine;  // [all positions, half]
    const int32_t *positions;    // [rows]
    size_t half;                 // channels of a head that a rotation pairs with as many others
} fk_rotary_angles;

// y [rows, heads, 2 half] = x rotated; channel i pairs with i + half; direction +1 forward, -1 backward;
// accumulate adds into y instead of storing
void fk_rotary(fk_rows y, fk_const_rows x, fk_rotary_angles angles, size_t rows, size_t heads,
               float direction, int accumulate);

// Cross-entropy over rows of logits [rows, vocabulary], in place; targets [rows].
// loss [rows] = lse - logit[target] + zLoss lse^2, 0 where target < 0; best [rows] = argmax, if not NULL.
// With gradientScale != 0 the logits become gradientScale * d loss / d logits (0 where target < 0).
void fk_cross_entropy(float *loss, int32_t *best, fk_rows logits, const int32_t *targets, size_t rows,
                      size_t vocabulary, float zLoss, float gradientScale);

#endif
