#pragma once
// Kernels over the rows of one document: causal attention, causal convolution, the SSD scan.
//
// A matrix is a pointer and a row stride in floats (`xRow`); a row is a token. A kernel call is one
// piece of work on one document: nothing crosses its borders, and tiles and chunks are counted from
// its first row, so that results do not depend on what is packed before it.
// Every kernel is single-threaded, allocates nothing and works in `scratch` of the stated size.
// Gradients are added to what is there, unless a line says "written".
// `tiles` is FK_TILE_BF16 or 0, for every product of the kernel; sums, states and exponentials stay float32.
#ifndef FK_SEQUENCE_H
#define FK_SEQUENCE_H

#include <stddef.h>

// Options of fk_tile_product. Triangles count from the corner: lower keeps row >= column.
enum {
    FK_TILE_ADD = 1,       // add to c instead of writing it
    FK_TILE_A_LOWER = 2,   // a is zero above its diagonal: skipped in blocks, so it must hold zeros
    FK_TILE_A_UPPER = 4,   // a is zero below its diagonal: likewise
    FK_TILE_C_LOWER = 8,   // only c's lower triangle is wanted; some of the rest is written too
    FK_TILE_C_UPPER = 16,  // only c's upper triangle is wanted; likewise
    FK_TILE_BF16 = 32,     // round both factors to bfloat16, where fk_has_bf16
};

// c[m, n] (+)= a[m, depth] b[depth, n], for matrices that fit the caches.
// a's element (i, k) is a[i * aRow + k * aColumn]. b's element (k, j) is b[k * bRow + j * bColumn],
// and bRow or bColumn is 1.
void fk_tile_product(float *c, size_t cRow, const float *a, size_t aRow, size_t aColumn, const float *b,
                     size_t bRow, size_t bColumn, size_t m, size_t n, size_t depth, unsigned options);

// Attention of `queries` consecutive queries of one head: query i sees keys j <= keysBefore + i.
// out [queries, headSize] and logSumExp [queries] are written; q [queries, headSize];
// k, v [keysBefore + queries, headSize].
void fk_attention_forward(float *out, size_t outRow, float *logSumExp, const float *q, size_t qRow,
                          const float *k, size_t kRow, const float *v, size_t vRow, size_t queries,
                          size_t keysBefore, size_t headSize, float scale, unsigned tiles, float *scratch);
size_t fk_attention_forward_scratch_floats(void);

// dq [queries, headSize], written without accumulate; dk, dv [keysBefore + queries, headSize], written:
// give every piece that shares keys its own and add them up in a fixed order. Saved: out, logSumExp, q,
// k, v as above.
void fk_attention_backward(float *dq, size_t dqRow, float *dk, size_t dkRow, float *dv, size_t dvRow,
                           const float *dout, size_t doutRow, const float *out, size_t outRow,
                           const float *logSumExp, const float *q, size_t qRow, const float *k, size_t kRow,
                           const float *v, size_t vRow, size_t queries, size_t keysBefore, size_t headSize,
                           float scale, int accumulate, unsigned tiles, float *scratch);
size_t fk_attention_backward_scratch_floats(void);

// Causal depthwise convolution, bias, SiLU. taps [tapCount, channels] = weight [channels, tapCount]
// times scale [channels], transposed; the last tap meets the current row.
void fk_conv1d_scale_taps(float *taps, const float *weight, const float *scale, size_t channels,
                          size_t tapCount);

// Rows [rowBegin, rowEnd) of y [rows, channels] are written. x [rows, channels] is the document from
// its first row; bias [channels]. history [tapCount - 1, channels]: the rows before x, not scaled,
// the latest last; or NULL for zeros.
void fk_conv1d_silu_forward(float *y, size_t yRow, const float *x, size_t xRow, const float *history,
                            const float *taps, const float *bias, size_t rowBegin, size_t rowEnd,
                            size_t channels, size_t tapCount, float *scratch);
size_t fk_conv1d_silu_forward_scratch_floats(void);

// Rows [rowBegin, rowEnd) of dx [rows, channels], written without accumulate; their share in
// dtaps [tapCount, channels] and dbias [channels]. No history. Saved: x.
void fk_conv1d_silu_backward(float *dx, size_t dxRow, float *dtaps, float *dbias, const float *dy,
                             size_t dyRow, const float *x, size_t xRow, const float *taps, const float *bias,
                             size_t rowBegin, size_t rowEnd, size_t rows, size_t channels, size_t tapCount,
                             int accumulate, float *scratch);
size_t fk_conv1d_silu_backward_scratch_floats(size_t tapCount);

// dweight [channels, tapCount] and dbias [channels], for [channelBegin, channelEnd), from
// parts [partCount, tapCount + 1, channels], dtaps and dbias of each piece: added in double, in order.
void fk_conv1d_silu_reduce(float *dweight, float *dbias, const float *parts, const float *scale,
                           size_t partCount, size_t channelBegin, size_t channelEnd, size_t channels,
                           size_t tapCount);

// The Mamba-2 scan, chunked. A chunk has `rows` rows; a call handles the `heads` heads of one group,
// whose columns and heads the caller has offset the pointers to (fk_ssd_steps: all heads).
// A state is [stateSize, heads * headSize] with row stride stateRow, also over groups.

// dt [heads, rows] = softplus(dtRaw * dtScale + dtBias), decay [heads, 2, rows] the sum of -e^aLog dt
// from the chunk's first row on and what rounding took from it, total [heads] = e^(last decay): all
// written. dtRaw [rows, heads].
void fk_ssd_steps(float *dt, float *decay, float *total, const float *dtRaw, size_t dtRow,
                  const float *dtBias, const float *aLog, size_t rows, size_t heads, float dtScale);

// What a chunk adds to the state, written. x [rows, heads * headSize], b [rows, stateSize].
void fk_ssd_chunk_states(float *state, size_t stateRow, const float *x, size_t xRow, const float *b,
                         size_t bRow, const float *dt, const float *decay, size_t rows, size_t heads,
                         size_t headSize, size_t stateSize, unsigned tiles, float *scratch);
size_t fk_ssd_states_scratch_floats(size_t rows, size_t headSize);

// What a chunk adds to the gradient of the state before it, written. dy as y, c as b.
void fk_ssd_chunk_state_gradients(float *dstate, size_t stateRow, const float *dy, size_t dyRow,
                                  const float *c, size_t cRow, const float *decay, size_t rows, size_t heads,
                                  size_t headSize, size_t stateSize, unsigned tiles, float *scratch);

// Rows [rowBegin, rowEnd) of `count` contiguous states [stateSize, heads * headSize], stateStep
// floats apart: each has total [heads] times the one before it added; before the first comes
// `initial`, or NULL for zeros. All heads. Steps may be negative: backward passes go from the end.
void fk_ssd_pass_states(float *states, ptrdiff_t stateStep, const float *initial, const float *total,
                        ptrdiff_t totalStep, size_t count, size_t rowBegin, size_t rowEnd, size_t heads,
                        size_t headSize);

// y [rows, heads * headSize], written. previous: the state before the chunk, NULL for zeros; d [heads].
void fk_ssd_outputs(float *y, size_t yRow, const float *x, size_t xRow, const float *b, size_t bRow,
                    const float *c, size_t cRow, const float *previous, size_t stateRow, const float *dt,
                    const float *decay, const float *d, size_t rows, size_t heads, size_t headSize,
                    size_t stateSize, unsigned tiles, float *scratch);
size_t fk_ssd_outputs_scratch_floats(size_t rows);

// One row: the recurrence itself. y, x [heads * headSize]; b, c [stateSize]; state is updated.
void fk_ssd_one_row(float *y, float *state, const float *x, const float *b, const float *c,
                    const float *dtRaw, const float *dtBias, const float *aLog, const float *d, size_t heads,
                    size_t headSize, size_t stateSize, size_t stateRow, float dtScale);

// All gradients of a chunk; dx, db, dc and ddtRaw are written without accumulate. The parts [heads] are
// written, for this chunk alone. after: the gradient of the state after the chunk; previous: the state
// before it; NULL for zeros. Saved: dt, decay and the inputs.
void fk_ssd_backward(float *dx, size_t dxRow, float *db, size_t dbRow, float *dc, size_t dcRow, float *ddtRaw,
                     size_t ddtRow, float *ddtBiasPart, float *daLogPart, float *ddPart, const float *dy,
                     size_t dyRow, const float *after, const float *previous, size_t stateRow,
                     const float *dt, const float *decay, const float *x, size_t xRow, const float *b,
                     size_t bRow, const float *c, size_t cRow, const float *dtRaw, size_t dtRow,
                     const float *dtBias, const float *aLog, const float *d, size_t rows, size_t heads,
                     size_t headSize, size_t stateSize, float dtScale, int accumulate, unsigned tiles,
                     float *scratch);
size_t fk_ssd_backward_scratch_floats(size_t rows, size_t headSize);

#endif
