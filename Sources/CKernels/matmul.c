#include "fk_matmul.h"

#include <cblas.h>

void fk_matmul_initialize(void) { openblas_set_num_threads(1); }

// Terms that the BLAS may add up in one chain when rows meet rows (every forward product): the error
// of a float32 sum grows with its length, and chains of 256 tripled the error of trained logits.
enum { longest_chain = 64 };

void fk_matmul(float *c, const float *a, const float *b, size_t m, size_t n, size_t k, size_t strideC,
               size_t strideA, size_t strideB, int transposeA, int transposeB, float alpha, float beta) {
  size_t block = transposeB ? longest_chain : k;
  for (size_t first = 0; first < k; first += block) {
    size_t depth = k - first < block ? k - first : block;
    cblas_sgemm(CblasRowMajor, transposeA ? CblasTrans : CblasNoTrans,
                transposeB ? CblasTrans : CblasNoTrans, (blasint)m, (blasint)n, (blasint)depth, alpha,
                a + (transposeA ? first * strideA : first), (blasint)strideA,
                b + (transposeB ? first : first * strideB), (blasint)strideB, first ? 1.0f : beta, c,
                (blasint)strideC);
  }
}
