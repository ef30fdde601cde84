#pragma once
// The Mamba-1 selective scan (Gu and Dao 2023, algorithm 2; with norms before it in Falcon Mamba).
//
//   h_t[n, c] = e^(step_t[c] A[c, n]) h_(t-1)[n, c] + step_t[c] B_t[n] x_t[c], A = -e^aLog
//   y_t[c]    = sum_n C_t[n] h_t[n, c] + d[c] x_t[c], step = softplus(delta + deltaBias)
//
// A call is one document and a block of at most FK_SCAN_CHANNELS channels, to which the caller has offset
// the pointers; matrices, strides and accumulation as in fk_sequence.h. The states before every
// FK_SCAN_ROWS rows but the first are kept for backward, as whole blocks [stateSize, FK_SCAN_CHANNELS].
#ifndef FK_SCAN_H
#define FK_SCAN_H

#include <stddef.h>

enum {
    FK_SCAN_CHANNELS = 32,  // channels of a block: two vectors of 16
    FK_SCAN_ROWS = 64,      // rows of a chunk, whose states backward computes again
};

// rates [stateSize, FK_SCAN_CHANNELS] = A log2(e), zeros past the channels: written.
// aLog [channels, stateSize].
void fk_selective_scan_rates(float *rates, const float *aLog, size_t channels, size_t stateSize);

// y [rows, channels], written. states: (rows - 1) / FK_SCAN_ROWS blocks, stateStep floats apart, are
// written unless NULL. initial [stateSize, channels]: the state before the first row, NULL for zeros;
// final: the state after the last row, may be NULL or `initial`. x, delta [rows, channels],
// b, c [rows, stateSize], deltaBias, d [channels].
void fk_selective_scan_forward(float *y, size_t yRow, float *states, size_t stateStep, const float *initial,
                               float *final, size_t stateRow, const float *x, size_t xRow, const float *delta,
                               size_t deltaRow, const float *b, size_t bRow, const float *c, size_t cRow,
                               const float *deltaBias, const float *rates, const float *d, size_t rows,
                               size_t channels, size_t stateSize, float *scratch);
size_t fk_selective_scan_forward_scratch_floats(size_t stateSize);

// dx and ddelta [rows, channels], written without accumulate. dbc [rows, 2, bcRow]: the block's share in
// the gradients of b and c, in whole vectors (fk_selective_scan_shared_row), written without addShared.
// totals [stateSize + 2, FK_SCAN_CHANNELS]: added into, for fk_selective_scan_finish. No state before the
// first row. Saved: states and the inputs.
void fk_selective_scan_backward(float *dx, size_t dxRow, float *ddelta, size_t ddeltaRow, float *dbc,
                                float *totals, const float *dy, size_t dyRow, const float *states,
                                size_t stateStep, const float *x, size_t xRow, const float *delta,
                                size_t deltaRow, const float *b, size_t bRow, const float *c, size_t cRow,
                                const float *deltaBias, const float *rates, const float *d, size_t rows,
                                size_t channels, size_t stateSize, int accumulate, int addShared,
                                float *scratch);
size_t fk_selective_scan_backward_scratch_floats(size_t stateSize);
size_t fk_selective_scan_shared_row(size_t stateSize);

// daLog [channels, stateSize], ddeltaBias and dd [channels], written, from the totals of some documents.
void fk_selective_scan_finish(float *daLog, float *ddeltaBias, float *dd, const float *totals,
                              const float *rates, size_t channels, size_t stateSize);

// db and dc [rows, stateSize], written without accumulate: the sum over `parts` shares, partStep floats
// apart, in order.
void fk_selective_scan_share(float *db, size_t dbRow, float *dc, size_t dcRow, const float *dbc,
                             size_t partStep, size_t parts, size_t rows, size_t stateSize, int accumulate);

#endif
