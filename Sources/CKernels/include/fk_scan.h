#pragma once
// The Mamba-1 selective scan (Gu and Dao 2023, algorithm 2; with norms before it in Falcon Mamba).
//
//   h_t[n, c] = e^(step_t[c] A[c, n]) h_(t-1)[n, c] + step_t[c] B_t[n] x_t[c], A = -e^aLog
//   y_t[c]    = sum_n C_t[n] h_t[n, c] + d[c] x_t[c], step = softplus(delta + deltaBias)
//
// A call is one document and a block of at most FK_SCAN_CHANNELS channels, to which the caller has offset
// the pointers. The states before every FK_SCAN_ROWS rows but the first are kept for backward, as whole
// blocks [stateSize, FK_SCAN_CHANNELS].
#ifndef FK_SCAN_H
#define FK_SCAN_H

#include "fk_common.h"

enum {
    FK_SCAN_CHANNELS = 32,  // channels of a block: two vectors of 16
    FK_SCAN_ROWS = 64,      // rows of a chunk, whose states backward computes again
};

// rates [stateSize, FK_SCAN_CHANNELS] = A log2(e), zeros past the channels: written.
// aLog [channels, stateSize].
void fk_selective_scan_rates(float *rates, const float *aLog, size_t channels, size_t stateSize);

// The inputs of the scan; columns of x and delta are the block's channels.
typedef struct fk_selective_scan_inputs {
    fk_const_rows x, delta;  // [rows, channels]
    fk_const_rows b, c;      // [rows, stateSize]
    const float *deltaBias;  // [channels]
    const float *rates;      // [stateSize, FK_SCAN_CHANNELS], see fk_selective_scan_rates
    const float *d;          // [channels]
} fk_selective_scan_inputs;

// The sizes of a document and a block.
typedef struct fk_selective_scan_sizes {
    size_t rows;
    size_t channels;  // at most FK_SCAN_CHANNELS
    size_t stateSize;
} fk_selective_scan_sizes;

// The targets of the gradients of a block.
typedef struct fk_selective_scan_gradients {
    fk_rows x, delta;  // [rows, channels]
    float *bc;         // [rows, 2, fk_selective_scan_shared_row]: the block's share in those of b and c
    float *totals;     // [stateSize + 2, FK_SCAN_CHANNELS]: added into, for fk_selective_scan_finish
    int accumulate;    // whether x and delta are added into, or written
    int addShared;     // whether bc is added into, or written
} fk_selective_scan_gradients;

// y [rows, channels], written. states [(rows - 1) / FK_SCAN_ROWS] blocks, a stride apart, are written unless
// NULL. initial [stateSize, channels]: the state before the first row, NULL for zeros; final: the state after
// the last row, may be NULL or `initial`.
void fk_selective_scan_forward(fk_rows y, fk_rows states, fk_rows final, fk_const_rows initial,
                               fk_selective_scan_inputs inputs, fk_selective_scan_sizes sizes,
                               float *scratch);
size_t fk_selective_scan_forward_scratch_floats(size_t stateSize);

// All gradients of a block; dy [rows, channels]. Saved: states, without one before the first row, and the
// inputs.
void fk_selective_scan_backward(fk_selective_scan_gradients gradients, fk_const_rows dy, fk_const_rows states,
                                fk_selective_scan_inputs inputs, fk_selective_scan_sizes sizes,
                                float *scratch);
size_t fk_selective_scan_backward_scratch_floats(size_t stateSize);
// Floats of a row of shares in the gradient of b or c: whole vectors.
size_t fk_selective_scan_shared_row(size_t stateSize);

// daLog [channels, stateSize], ddeltaBias and dd [channels], written, from the totals of some documents.
void fk_selective_scan_finish(float *daLog, float *ddeltaBias, float *dd, const float *totals,
                              const float *rates, size_t channels, size_t stateSize);

// db and dc [rows, stateSize], written without accumulate: the sum, in order, over `parts` shares
// [rows, 2, fk_selective_scan_shared_row], a stride apart.
void fk_selective_scan_share(fk_rows db, fk_rows dc, fk_const_rows shares, size_t parts, size_t rows,
                             size_t stateSize, int accumulate);

#endif
