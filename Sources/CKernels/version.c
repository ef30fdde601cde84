#include "falcon_kernels.h"
