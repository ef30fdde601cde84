// Parts of matrices; not part of the kernels' interface.
#ifndef FK_ROWS_H
#define FK_ROWS_H

#include "fk_common.h"

// A matrix from row and column `row`, `column` of another on.
FK_INLINE fk_rows fk_part(fk_rows x, size_t row, size_t column) {
    return (fk_rows){x.first + row * x.stride + column, x.stride};
}

FK_INLINE fk_const_rows fk_const_part(fk_const_rows x, size_t row, size_t column) {
    return (fk_const_rows){x.first + row * x.stride + column, x.stride};
}

// Written rows, to be read.
FK_INLINE fk_const_rows fk_const(fk_rows x) { return (fk_const_rows){x.first, x.stride}; }

#endif
