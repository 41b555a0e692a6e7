/* A kernel in C:  y[r, o] = sum over c of x[r, c] * w[o, c], in eight lanes and a tail.
 *
 *     cc -std=c99 -O2 -I CLIENT -o linear linear.c -lm
 *     touchstone check --op linear.forward --exec ./linear --target ieee
 *
 * CLIENT is golden/clients/c in a checkout, node_modules/touchstone-llama/dist/golden/clients/c where the package is installed.
 */
#include "touchstone.h"

#define LANES 8

static float dot(const float *a, const float *b, size_t n) {
    float lanes[LANES] = {0}, sum = 0;
    size_t i = 0;
    for (; i + LANES <= n; i += LANES) {
        for (int l = 0; l < LANES; l++) lanes[l] += a[i + l] * b[i + l];
    }
    for (; i < n; i++) sum += a[i] * b[i];
    for (int l = 0; l < LANES; l++) sum += lanes[l];
    return sum;
}

int main(void) {
    static ts_case c;
    while (ts_next(&c)) {
        const ts_tensor *x = ts_input(&c, "x"), *w = ts_input(&c, "w");
        const size_t R = x->shape[0], C = x->shape[1], O = w->shape[0];
        ts_tensor *y = ts_output(&c, "y", 2, (size_t[]){R, O});
        for (size_t r = 0; r < R; r++) {
            for (size_t o = 0; o < O; o++) y->data[r * O + o] = dot(x->data + r * C, w->data + o * C, C);
        }
        ts_answer(&c);
    }
    return 0;
}
