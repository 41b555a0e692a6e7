/* Kernels in plain C, float32 throughout, for the tests of candidates: kernel FAULT, right when FAULT is "none". */
#include "touchstone.h"

static const char *fault = "none";
static int has(const char *name) { return !strcmp(fault, name); }

static float dot(const float *a, const float *b, size_t n) {
    float sum = 0;
    for (size_t i = 0; i < n; i++) sum += a[i] * b[i];
    return sum;
}

/* One pass over the keys: the maximum runs, and what is summed already is rescaled when it rises. */
static void attention(ts_case *c) {
    const ts_tensor *q = ts_input(c, "q"), *k = ts_input(c, "k"), *v = ts_input(c, "v");
    size_t B = q->shape[0], T = q->shape[1], NH = q->shape[2], HS = q->shape[3], S = k->shape[1], NKV = k->shape[2];
    size_t rows[] = {B, NH, T};
    ts_tensor *y = ts_output(c, "y", 4, q->shape), *lse = ts_output(c, "lse", 3, rows);
    float scale = 1 / sqrtf((float)HS);
    for (size_t b = 0; b < B; b++)
        for (size_t h = 0; h < NH; h++)
            for (size_t t = 0; t < T; t++) {
                const float *query = q->data + ((b * T + t) * NH + h) * HS;
                float *out = y->data + ((b * T + t) * NH + h) * HS, most = -INFINITY, total = 0;
                for (size_t e = 0; e < HS; e++) out[e] = 0;
                for (size_t s = 0; s < S && s + T <= t + S; s++) {
                    size_t at = ((b * S + s) * NKV + h * NKV / NH) * HS;
                    float score = dot(query, k->data + at, HS) * scale;
                    if (score > most) {
                        float shrink = total > 0 ? expf(most - score) : 0;
                        total *= shrink;
                        for (size_t e = 0; e < HS && !has("no rescaling"); e++) out[e] *= shrink;
                        most = score;
                    }
                    float p = expf(score - most);
                    total += p;
                    for (size_t e = 0; e < HS; e++) out[e] += p * v->data[at + e];
                }
                for (size_t e = 0; e < HS && total > 0; e++) out[e] /= total;
                lse->data[(b * NH + h) * T + t] = total > 0 ? most + logf(total) : -INFINITY;
            }
}

static void rmsnorm(ts_case *c) {
    const ts_tensor *x = ts_input(c, "x"), *w = ts_input(c, "w");
    size_t R = x->shape[0], C = x->shape[1];
    ts_tensor *y = ts_output(c, "y", 2, x->shape), *rstd = ts_output(c, "rstd", 1, x->shape);
    for (size_t r = 0; r < R; r++) {
        const float *row = x->data + r * C;
        float square = dot(row, row, C) / (has("C - 1") && C > 1 ? C - 1 : C);
        rstd->data[r] = 1 / sqrtf(square + (float)ts_scalar(c, "eps"));
        for (size_t i = 0; i < C; i++) y->data[r * C + i] = row[i] * rstd->data[r] * w->data[i];
    }
}

static void adamw(ts_case *c) {
    const ts_tensor *w = ts_input(c, "w"), *g = ts_input(c, "g"), *m = ts_input(c, "m"), *v = ts_input(c, "v");
    ts_tensor *nextW = ts_output(c, "w", 1, w->shape), *nextM = ts_output(c, "m", 1, w->shape), *nextV = ts_output(c, "v", 1, w->shape);
    float rate = ts_scalar(c, "learningRate"), decay = ts_scalar(c, "weightDecay"), eps = ts_scalar(c, "eps");
    float beta1 = ts_scalar(c, "beta1"), rest1 = ts_scalar(c, "oneMinusBeta1"), correction1 = ts_scalar(c, "correction1");
    float beta2 = ts_scalar(c, "beta2"), rest2 = ts_scalar(c, "oneMinusBeta2"), correction2 = ts_scalar(c, "correction2");
    for (size_t i = 0; i < w->size; i++) {
        float gradient = has("coupled") ? g->data[i] + decay * w->data[i] : g->data[i];
        float first = beta1 * m->data[i] + rest1 * gradient, second = beta2 * v->data[i] + rest2 * gradient * gradient;
        float direction = first / correction1 / (sqrtf(second / correction2) + eps);
        nextM->data[i] = first;
        nextV->data[i] = second;
        nextW->data[i] = w->data[i] - rate * (has("coupled") ? direction : direction + decay * w->data[i]);
    }
}

int main(int count, char **arguments) {
    static ts_case c;
    if (count > 1) fault = arguments[1];
    while (ts_next(&c)) {
        if (!strcmp(c.op, "attention.forward")) attention(&c);
        else if (!strcmp(c.op, "rmsnorm.forward")) rmsnorm(&c);
        else if (!strcmp(c.op, "adamw.forward")) adamw(&c);
        else {
            ts_refuse(&c, "no \"such\" op");
            continue;
        }
        ts_answer(&c);
    }
}
