// Update rules over flat buffers, and counter-based random numbers.
#ifndef FK_OPTIMIZER_H
#define FK_OPTIMIZER_H

#include "fk_common.h"

// One step of AdamW (Loshchilov & Hutter, arXiv 1711.05101).
typedef struct fk_adamw_step {
    float clip;   // factor of gradients
    float rate;   // learning rate
    float decay;  // weight decay, times the rate
    float beta1, beta2, epsilon;
    float correction1, correction2;  // 1 - beta^t
} fk_adamw_step;

// The step on n weights:
// g' = clip g; m = beta1 m + (1 - beta1) g'; v = beta2 v + (1 - beta2) g'^2;
// w -= rate * decay * w; w -= rate * (m / correction1) / (sqrt(v / correction2) + epsilon)
// then g = 0, for the next step to add to: a pass of its own would cost a fifth more
void fk_adamw(float *w, float *m, float *v, float *g, size_t n, fk_adamw_step step);

// Sum of squares over n weights of the last step's update without decay, from the moments after it:
// rate * (m / correction1) / (sqrt(v / correction2) + epsilon)
double fk_adamw_update_squares(const float *m, const float *v, size_t n, fk_adamw_step step);

// Muon's momentum on n weights: m = mu m + (1 - mu) clip g; u = (1 - mu) clip g + mu m, or m without
// nesterov; then g = 0
void fk_muon_momentum(float *m, float *u, float *g, size_t n, float clip, float mu, int nesterov);

// w [n] = keep w - rate u
void fk_decayed_step(float *w, const float *u, size_t n, float keep, float rate);

// A matrix with learnable scales of its rows and columns (arXiv 2601.04890, section 2).
typedef struct fk_scaled_matrix {
    const float *w;  // [rows, columns], contiguous
    const float *r;  // [rows], or one number for all rows; NULL is 1
    size_t stepR;    // floats from a row's scale to the next: 1, or 0 where r is one number
    const float *c;  // [columns]; NULL is 1
    size_t rows, columns;
} fk_scaled_matrix;

// v [rows, columns] = r_i w_ij c_j
void fk_scale_rows_columns(float *v, fk_scaled_matrix matrix);

// The gradients that follow from g = dL/dv, in place: g_ij becomes dL/dw_ij = r_i c_j g_ij.
// rowSums [rows] = sum_j w_ij c_j g_ij; dC [columns] += r_i w_ij g_ij over the rows, if not NULL
void fk_split_scaled_gradient(float *g, double *rowSums, float *dC, fk_scaled_matrix matrix);

// y [n] = uniform in [0, 1): the numbers first..<first + n of the stream `key`
void fk_random_uniform(float *y, size_t n, uint64_t key, uint64_t first);

// y [n] = normal(0, 1): the numbers first..<first + n of the stream `key`
void fk_random_normal(float *y, size_t n, uint64_t key, uint64_t first);

#endif
