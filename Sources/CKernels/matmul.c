#include "fk_matmul.h"

#include <cblas.h>

void fk_matmul_initialize(void) { openblas_set_num_threads(1); }

const char *fk_matmul_core_name(void) { return openblas_get_corename(); }

void fk_matmul(float *c, const float *a, const float *b, size_t m, size_t n, size_t k, size_t strideC,
               size_t strideA, size_t strideB, int transposeA, int transposeB, float alpha, float beta) {
  cblas_sgemm(CblasRowMajor, transposeA ? CblasTrans : CblasNoTrans,
              transposeB ? CblasTrans : CblasNoTrans, (blasint)m, (blasint)n, (blasint)k, alpha, a,
              (blasint)strideA, b, (blasint)strideB, beta, c, (blasint)strideC);
}
