// Update rules over flat buffers, and counter-based random numbers.
#ifndef FK_OPTIMIZER_H
#define FK_OPTIMIZER_H

#include "fk_common.h"

// One AdamW step on n weights (Loshchilov & Hutter, arXiv 1711.05101):
// g' = clip g; m = beta1 m + (1 - beta1) g'; v = beta2 v + (1 - beta2) g'^2;
// w -= rate * decay * w; w -= rate * (m / correction1) / (sqrt(v / correction2) + epsilon)
// correction = 1 - beta^t; then g = 0, for the next step to add to: a pass of its own would cost a fifth more
void fk_adamw(float *w, float *m, float *v, float *g, size_t n, float clip, float rate, float decay,
              float beta1, float beta2, float epsilon, float correction1, float correction2);

// Sum of squares over n weights of the last AdamW update without decay, from the moments after it:
// rate * (m / correction1) / (sqrt(v / correction2) + epsilon)
double fk_adamw_update_squares(const float *m, const float *v, size_t n, float rate, float epsilon,
                               float correction1, float correction2);

// Muon's momentum on n weights: m = mu m + (1 - mu) clip g; u = (1 - mu) clip g + mu m, or m without
// nesterov; then g = 0
void fk_muon_momentum(float *m, float *u, float *g, size_t n, float clip, float mu, int nesterov);

// w [n] = keep w - rate u
void fk_decayed_step(float *w, const float *u, size_t n, float keep, float rate);

// Learnable scales of a matrix (arXiv 2601.04890, section 2): v [rows, columns] = r_i w_ij c_j.
// r [rows], with stepR 0 one number for all rows; r or c NULL is 1
void fk_scale_rows_columns(float *v, const float *w, const float *r, size_t stepR, const float *c,
                           size_t rows, size_t columns);

// The gradients that follow from g = dL/dv, in place: g_ij becomes dL/dw_ij = r_i c_j g_ij.
// rowSums [rows] = sum_j w_ij c_j g_ij; dC [columns] += r_i w_ij g_ij over the rows, if not NULL
void fk_split_scaled_gradient(float *g, double *rowSums, float *dC, const float *w, const float *r,
                              size_t stepR, const float *c, size_t rows, size_t columns);

// y [n] = uniform in [0, 1): the numbers first..<first + n of the stream `key`
void fk_random_uniform(float *y, size_t n, uint64_t key, uint64_t first);

// y [n] = normal(0, 1): the numbers first..<first + n of the stream `key`
void fk_random_normal(float *y, size_t n, uint64_t key, uint64_t first);

#endif
