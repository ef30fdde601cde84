// All kernels. One header and one .c file per family.
#ifndef FALCON_KERNELS_H
#define FALCON_KERNELS_H

#include "fk_common.h"
#include "fk_elementwise.h"
#include "fk_gemm.h"
#include "fk_minhash.h"
#include "fk_norm.h"
#include "fk_optimizer.h"
#include "fk_peak.h"
#include "fk_pool.h"
#include "fk_quantize.h"
#include "fk_scan.h"
#include "fk_sequence.h"
#include "fk_tokens.h"

#endif
