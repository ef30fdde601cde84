#pragma once
// Kernels over the rows of one document: causal attention, causal convolution, the SSD scan.
//
// A row is a token. A kernel call is one piece of work on one document: nothing crosses its borders, and
// tiles and chunks are counted from its first row, so that results do not depend on the documents before it.
// Every kernel is single-threaded, allocates nothing and works in `scratch` of the stated size.
// Gradients are added into, unless a line says "written".
// `tiles` is FK_TILE_BF16 or 0, for every product of the kernel; sums, states and exponentials stay float32.
#ifndef FK_SEQUENCE_H
#define FK_SEQUENCE_H

#include "fk_common.h"

// Options of small products; kernels take the last one alone.
// Triangles count from the corner: lower keeps row >= column.
enum {
    FK_TILE_ADD = 1,       // add to c instead of writing it
    FK_TILE_A_LOWER = 2,   // a is zero above its diagonal: skipped in blocks, so it must hold zeros
    FK_TILE_A_UPPER = 4,   // a is zero below its diagonal: likewise
    FK_TILE_C_LOWER = 8,   // only c's lower triangle is wanted; some of the rest is written too
    FK_TILE_C_UPPER = 16,  // only c's upper triangle is wanted; likewise
    FK_TILE_BF16 = 32,     // round both factors to bfloat16, where fk_has_bf16
};

// Attention of `queries` consecutive queries of one head: query i sees keys j <= keysBefore + i.
typedef struct fk_attention_sizes {
    size_t queries;
    size_t keysBefore;  // keys that lie before the first query
    size_t headSize;
} fk_attention_sizes;

// The inputs of attention.
typedef struct fk_attention_inputs {
    fk_const_rows q;     // [queries, headSize]
    fk_const_rows k, v;  // [keysBefore + queries, headSize]
    float scale;         // of q . k
} fk_attention_inputs;

// The values that attention saves for backward.
typedef struct fk_attention_saved {
    fk_const_rows out;       // [queries, headSize]
    const float *logSumExp;  // [queries]
} fk_attention_saved;

// The targets of the gradients of attention.
typedef struct fk_attention_gradients {
    fk_rows q;       // [queries, headSize]
    fk_rows k, v;    // [keysBefore + queries, headSize], written: give every piece that shares keys its own
                     // and add them up in a fixed order
    int accumulate;  // whether q is added into, or written
} fk_attention_gradients;

// out [queries, headSize] and logSumExp [queries] are written.
void fk_attention_forward(fk_rows out, float *logSumExp, fk_attention_inputs inputs, fk_attention_sizes sizes,
                          unsigned tiles, float *scratch);
size_t fk_attention_forward_scratch_floats(void);

// All gradients; dout [queries, headSize].
void fk_attention_backward(fk_attention_gradients gradients, fk_const_rows dout, fk_attention_saved saved,
                           fk_attention_inputs inputs, fk_attention_sizes sizes, unsigned tiles,
                           float *scratch);
size_t fk_attention_backward_scratch_floats(void);

// Causal depthwise convolution, bias, SiLU. taps [tapCount, channels] = weight [channels, tapCount]
// times scale [channels], transposed; the last tap meets the current row.
void fk_conv1d_scale_taps(float *taps, const float *weight, const float *scale, size_t channels,
                          size_t tapCount);

// The sizes of a convolution.
typedef struct fk_conv1d_sizes {
    size_t rows;  // of the document
    size_t channels, tapCount;
} fk_conv1d_sizes;

// The inputs of the convolution.
typedef struct fk_conv1d_inputs {
    fk_const_rows x;       // [rows, channels], the document from its first row
    const float *history;  // [tapCount - 1, channels]: the rows before x, the latest last; NULL for zeros
    const float *taps;     // [tapCount, channels], scaled, see fk_conv1d_scale_taps
    const float *bias;     // [channels]
} fk_conv1d_inputs;

// The targets of the gradients of the convolution.
typedef struct fk_conv1d_gradients {
    fk_rows x;       // [rows, channels]
    float *taps;     // [tapCount, channels], of the scaled taps
    float *bias;     // [channels]
    int accumulate;  // whether x is added into, or written
} fk_conv1d_gradients;

// Some rows of y [rows, channels] are written.
void fk_conv1d_silu_forward(fk_rows y, fk_conv1d_inputs inputs, fk_conv1d_sizes sizes, fk_range rows,
                            float *scratch);
size_t fk_conv1d_silu_forward_scratch_floats(void);

// Some rows of dx, and the share of the same rows in the gradients of taps and bias; dy [rows, channels], of
// the whole document. No history. Saved: the inputs.
void fk_conv1d_silu_backward(fk_conv1d_gradients gradients, fk_const_rows dy, fk_conv1d_inputs inputs,
                             fk_conv1d_sizes sizes, fk_range rows, float *scratch);
size_t fk_conv1d_silu_backward_scratch_floats(size_t tapCount);

// dweight [all channels, tapCount] and dbias [all channels], for some channels, from
// parts [partCount, tapCount + 1, all channels], dtaps and dbias of each piece: added in double, in order.
void fk_conv1d_silu_reduce(float *dweight, float *dbias, const float *parts, size_t partCount,
                           const float *scale, fk_range channels, size_t channelCount, size_t tapCount);

// The Mamba-2 scan, chunked. A chunk has `rows` rows; a call handles the `heads` heads of one group,
// whose columns and heads the caller has offset the pointers to (fk_ssd_steps: all heads).
// A state is [stateSize, heads * headSize]; its stride is that of all groups' states.
typedef struct fk_ssd_sizes {
    size_t rows, heads, headSize, stateSize;
} fk_ssd_sizes;

// The values that the scan mixes.
typedef struct fk_ssd_inputs {
    fk_const_rows x;     // [rows, heads * headSize]
    fk_const_rows b, c;  // [rows, stateSize]
    const float *d;      // [heads]
} fk_ssd_inputs;

// The inputs of time steps and decays: dt = softplus(dtRaw * dtScale + dtBias), A = -e^aLog.
typedef struct fk_ssd_step_inputs {
    fk_const_rows dtRaw;         // [rows, heads]
    const float *dtBias, *aLog;  // [heads]
    float dtScale;
} fk_ssd_step_inputs;

// The values that forward saves for backward.
typedef struct fk_ssd_saved {
    const float *dt;         // [heads, rows]
    const float *decay;      // [heads, 2, rows]: the sum of A dt from the chunk's first row on, and the
                             // part of it lost in rounding
    fk_const_rows previous;  // the state before the chunk; NULL for zeros
} fk_ssd_saved;

// dt and decay as above, total [heads] = e^(last decay): all written.
void fk_ssd_steps(float *dt, float *decay, float *total, fk_ssd_step_inputs inputs, size_t rows,
                  size_t heads);

// The contribution of a chunk to the state, written. dt, decay, x, b and sizes as above.
void fk_ssd_chunk_states(fk_rows state, const float *dt, const float *decay, fk_const_rows x, fk_const_rows b,
                         fk_ssd_sizes sizes, unsigned tiles, float *scratch);
size_t fk_ssd_states_scratch_floats(size_t rows, size_t headSize);

// The contribution of a chunk to the gradient of the state before it, written. dy [rows, heads * headSize].
void fk_ssd_chunk_state_gradients(fk_rows dstate, fk_const_rows dy, const float *decay, fk_const_rows c,
                                  fk_ssd_sizes sizes, unsigned tiles, float *scratch);

// Consecutive chunks of a document, in either direction: steps are negative in a pass that goes from the end.
typedef struct fk_ssd_chain {
    size_t count;         // chunks
    ptrdiff_t stateStep;  // floats from a chunk's state to the next one's
    ptrdiff_t totalStep;  // floats from a chunk's totals to the next one's
} fk_ssd_chain;

// Some rows of a chain of contiguous states [stateSize, heads * headSize], of all heads: each has
// total [heads] times the one before it added; before the first comes `initial`, or NULL for zeros.
void fk_ssd_pass_states(float *states, const float *initial, const float *total, fk_ssd_chain chain,
                        fk_range rows, size_t heads, size_t headSize);

// y [rows, heads * headSize], written.
void fk_ssd_outputs(fk_rows y, fk_ssd_saved saved, fk_ssd_inputs inputs, fk_ssd_sizes sizes, unsigned tiles,
                    float *scratch);
size_t fk_ssd_outputs_scratch_floats(size_t rows);

// One row, whatever `rows` and the inputs' strides are: the recurrence itself. y [heads * headSize]; state is
// updated.
void fk_ssd_one_row(float *y, fk_rows state, fk_ssd_inputs inputs, fk_ssd_step_inputs steps,
                    fk_ssd_sizes sizes);

// The gradients that reach a chunk.
typedef struct fk_ssd_upstream {
    fk_const_rows dy;     // [rows, heads * headSize]
    fk_const_rows after;  // of the state after the chunk; NULL for zeros
} fk_ssd_upstream;

// The targets of the gradients of a chunk.
typedef struct fk_ssd_gradients {
    fk_rows x;                 // [rows, heads * headSize]
    fk_rows b, c;              // [rows, stateSize]
    fk_rows dtRaw;             // [rows, heads]
    int accumulate;            // whether all of the above are added into, or written
    float *dtBias, *aLog, *d;  // [heads], written: of this chunk alone
} fk_ssd_gradients;

// All gradients of a chunk. Saved: also the inputs.
void fk_ssd_backward(fk_ssd_gradients gradients, fk_ssd_upstream upstream, fk_ssd_saved saved,
                     fk_ssd_inputs inputs, fk_ssd_step_inputs steps, fk_ssd_sizes sizes, unsigned tiles,
                     float *scratch);
size_t fk_ssd_backward_scratch_floats(size_t rows, size_t headSize);

#endif
