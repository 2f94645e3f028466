#include "device/cpu/avx512/avx512_train.h"
#include "device/cpu/vector/vec_train_rows.h"

void pl__avx512_dropout(const pl_dropout_rows *d, size_t first_row, size_t last_row)
{
    for (size_t row = first_row; row < last_row; row++)
        dropout_row(d, row);
}

void pl__avx512_norm_backward(const pl_norm_train *n, size_t first_row, size_t last_row)
{
    for (size_t row = first_row; row < last_row; row++)
        norm_row_backward(n, row);
}

void pl__avx512_act_backward(const pl_act_train *a, size_t first_row, size_t last_row)
{
    for (size_t row = first_row; row < last_row; row++)
        act_row_backward(a, row);
}

void pl__avx512_norm_gains(const pl_norm_train *n, size_t first_column, size_t last_column) { gains(n, first_column, last_column); }
void pl__avx512_column_sum(const pl_column_sum *c, size_t first_column, size_t last_column) { column_sum(c, first_column, last_column); }
void pl__avx512_scatter_add(const pl_scatter *s, size_t first_column, size_t last_column) { scatter_add(s, first_column, last_column); }
void pl__avx512_adamw(const pl_adamw *a, size_t first, size_t last) { adamw(a, first, last); }
double pl__avx512_sum_squares(const float *x, size_t n) { return sum_squares(x, n); }
