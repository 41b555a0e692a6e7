/* A ten-line kernel: cc -O2 -o rmsnorm rmsnorm.c -lm, then touchstone check --op rmsnorm.forward --exec ./rmsnorm */
#include "touchstone.h"

int main(void) {
    static ts_case c;
    while (ts_next(&c)) {
        const ts_tensor *x = ts_input(&c, "x"), *w = ts_input(&c, "w");
        ts_tensor *y = ts_output(&c, "y", 2, x->shape), *rstd = ts_output(&c, "rstd", 1, x->shape);
        for (size_t r = 0, R = x->shape[0], C = x->shape[1]; r < R; r++) {
            float squares = 0;
            for (size_t i = r * C; i < (r + 1) * C; i++) squares += x->data[i] * x->data[i];
            rstd->data[r] = 1 / sqrtf(squares / C + (float)ts_scalar(&c, "eps"));
            for (size_t i = r * C; i < (r + 1) * C; i++) y->data[i] = x->data[i] * rstd->data[r] * w->data[i - r * C];
        }
        ts_answer(&c);
    }
}
