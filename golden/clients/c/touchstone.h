/* A kernel in C99 as a candidate for Touchstone, and a check of fixtures. One header, no library but libc and libm.
 *
 *     #include "touchstone.h"
 *
 *     int main(void) {
 *         ts_case c;
 *         while (ts_next(&c)) {
 *             const ts_tensor *x = ts_input(&c, "x");
 *             ts_tensor *y = ts_output(&c, "y", x->rank, x->shape);
 *             for (size_t i = 0; i < y->size; i++) y->data[i] = 2 * x->data[i];
 *             ts_answer(&c);
 *         }
 *         return 0;
 *     }
 *
 * Numbers are floats whatever the file's dtype is: bfloat16 and float16 are widened exactly when read, and rounded once,
 * to nearest with ties to even, when written. Integers (tokens, targets) are floats too, exact below 2^24, and as
 * int32 in `ints`. Touchstone's docs/protocol.md specifies the protocol, docs/fixtures.md the files and the rule by which an
 * output is accepted.
 *
 * Anything that cannot be read ends the program with a line on standard error, which the judge reports. Little-endian hosts only.
 */
#ifndef TOUCHSTONE_H
#define TOUCHSTONE_H

#include <math.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TS_PROTOCOL 2 /* the version of the judge's requests and of the answers */
#define TS_FIXTURE_FORMAT "touchstone-fixture/2"
#define TS_MAX_TENSORS 64
#define TS_MAX_RANK 8
#define TS_NAME 64
#define TS_LINE 65536

typedef struct {
    char name[TS_NAME];
    char dtype[8]; /* safetensors' name: F32, BF16, F16, F64, I32, I64 */
    int rank;
    size_t shape[TS_MAX_RANK];
    size_t size;    /* how many numbers */
    float *data;    /* floats, and integers as floats */
    double *wide;   /* F64 only */
    int64_t *ints;  /* I32 and I64 only */
} ts_tensor;

typedef struct {
    int count;
    ts_tensor tensors[TS_MAX_TENSORS];
    char *header; /* the JSON text, metadata included */
} ts_file;

typedef struct {
    char line[TS_LINE]; /* the request */
    long number;
    char op[TS_NAME];
    char dtype[TS_NAME];
    ts_file in;
    ts_file out;
    int failed;
} ts_case;

/* --- for kernels ------------------------------------------------------------------------------------------------------ */

static int ts_next(ts_case *c);                                    /* the next request: 1, or 0 at the end */
static const ts_tensor *ts_input(const ts_case *c, const char *name);
static double ts_scalar(const ts_case *c, const char *name);       /* a number */
static int ts_scalar_is(const ts_case *c, const char *name, const char *word); /* a choice */
static ts_tensor *ts_output(ts_case *c, const char *name, int rank, const size_t *shape); /* zeros, to be filled */
static void ts_answer(ts_case *c);                                 /* writes the outputs and says so */
static void ts_unsupported(ts_case *c, const char *why);           /* refuses this case: the kernel does not support it, "head size 5" */
static void ts_refuse(ts_case *c, const char *why);                /* says that this case cannot be done, which is a finding */

/* --- for fixtures ----------------------------------------------------------------------------------------------------- */

static ts_file ts_read(const char *path);
static void ts_free(ts_file *file);
static const ts_tensor *ts_find(const ts_file *file, const char *name); /* NULL if there is none */
static int ts_accepts(double got, double want, double bound, const char *dtype); /* dtype: "float32", "bfloat16", "float16" */
static size_t ts_check_fixture(const char *fixture, const char *outputs);        /* prints and counts wrong outputs */
static uint32_t ts_bits(uint32_t seed, uint32_t stream, uint64_t i);
static double ts_uniform(uint32_t seed, uint32_t stream, uint64_t i);
static double ts_normal(uint32_t seed, uint32_t stream, uint64_t i);

/* ----------------------------------------------------------------------------------------------------------------------- */

static void ts_die(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    fputs("touchstone.h: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    exit(2); /* bad input: nothing is known about a kernel */
}

static void *ts_alloc(size_t bytes) {
    void *memory = calloc(bytes ? bytes : 1, 1);
    if (!memory) ts_die("no memory for %zu bytes", bytes);
    return memory;
}

/* --- just enough JSON: the text of a value by its key, at one depth ---------------------------------------------------- */

static const char *ts_skip_string(const char *p) { /* at the opening quote → past the closing one */
    for (p++; *p && *p != '"'; p++)
        if (*p == '\\' && p[1]) p++;
    return *p ? p + 1 : p;
}

static const char *ts_skip_value(const char *p) {
    int depth = 0;
    for (; *p; p++) {
        if (*p == '"') {
            p = ts_skip_string(p) - 1;
            if (depth == 0) return p + 1;
        } else if (*p == '{' || *p == '[') depth++;
        else if (*p == '}' || *p == ']') {
            if (depth == 0) return p;
            if (--depth == 0) return p + 1;
        } else if (*p == ',' && depth == 0) return p;
    }
    return p;
}

/* The value of a key of the object that begins at p; NULL if it has none. */
static const char *ts_value(const char *p, const char *key) {
    size_t length = strlen(key);
    while (*p && *p != '{') p++;
    if (*p) p++;
    while (*p && *p != '}') {
        while (*p == ' ' || *p == ',' || *p == '\n') p++;
        if (*p != '"') return NULL;
        const char *name = p + 1, *end = ts_skip_string(p);
        int found = (size_t)(end - 1 - name) == length && strncmp(name, key, length) == 0;
        for (p = end; *p == ' ' || *p == ':'; p++) {}
        if (found) return p;
        p = ts_skip_value(p);
        while (*p == ' ') p++;
    }
    return NULL;
}

/* A string value as text; escapes other than \" \\ \/ do not occur in what the judge writes. */
static void ts_text(const char *value, char *into, size_t room) {
    size_t n = 0;
    if (!value || *value != '"') ts_die("the request or header lacks a text");
    for (value++; *value && *value != '"' && n + 1 < room; value++) {
        if (*value == '\\') value++;
        into[n++] = *value;
    }
    into[n] = 0;
}

/* --- numbers of 16 bits ------------------------------------------------------------------------------------------------ */

static double ts_round(double x, const char *dtype) {
    int precision = strcmp(dtype, "float32") == 0 ? 24 : strcmp(dtype, "bfloat16") == 0 ? 8 : 11;
    int lowest = precision == 11 ? -14 : -126, highest = precision == 11 ? 15 : 127, exponent;
    if (x == 0 || isnan(x) || isinf(x)) return x;
    frexp(x, &exponent);
    exponent = exponent - 1 < lowest ? lowest : exponent - 1;
    /* nearbyint takes ties to even in the default mode of rounding */
    double result = ldexp(nearbyint(ldexp(x, precision - 1 - exponent)), exponent - precision + 1);
    double largest = ldexp(2 - ldexp(1, 1 - precision), highest);
    return fabs(result) > largest ? copysign(INFINITY, x) : copysign(result, x);
}

static float ts_from_bfloat16(uint16_t bits) {
    uint32_t word = (uint32_t)bits << 16;
    float x;
    memcpy(&x, &word, 4);
    return x;
}

static uint16_t ts_to_bfloat16(double x) {
    float rounded = isnan(x) ? NAN : (float)ts_round(x, "bfloat16");
    uint32_t word;
    memcpy(&word, &rounded, 4);
    return isnan(x) ? 0x7fc0 : (uint16_t)(word >> 16);
}

static float ts_from_float16(uint16_t bits) {
    int exponent = bits >> 10 & 31, fraction = bits & 1023;
    double x = exponent == 31 ? (fraction ? NAN : INFINITY)
             : exponent == 0  ? ldexp(fraction, -24)
                              : ldexp(1024 + fraction, exponent - 25);
    return (float)(bits & 0x8000 ? -x : x);
}

static uint16_t ts_to_float16(double x) {
    double rounded = ts_round(x, "float16"), size = fabs(rounded);
    uint16_t sign = signbit(rounded) ? 0x8000 : 0;
    if (isnan(x)) return 0x7e00;
    if (isinf(rounded)) return sign | 0x7c00;
    if (size < ldexp(1, -14)) return sign | (uint16_t)ldexp(size, 24);
    int exponent;
    double fraction = frexp(size, &exponent); /* in [1/2, 1) */
    return sign | (uint16_t)((exponent + 14) << 10) | (uint16_t)(ldexp(fraction, 11) - 1024);
}

/* --- safetensors ------------------------------------------------------------------------------------------------------- */

static size_t ts_width(const char *dtype) {
    if (!strcmp(dtype, "F64") || !strcmp(dtype, "I64")) return 8;
    if (!strcmp(dtype, "F32") || !strcmp(dtype, "I32")) return 4;
    if (!strcmp(dtype, "BF16") || !strcmp(dtype, "F16")) return 2;
    ts_die("dtype %s is not one that this header reads", dtype);
    return 0;
}

static void ts_load(ts_tensor *t, const unsigned char *bytes) {
    t->data = ts_alloc(t->size * sizeof *t->data);
    if (!strcmp(t->dtype, "F64")) {
        t->wide = ts_alloc(t->size * sizeof *t->wide);
        if (t->size) memcpy(t->wide, bytes, t->size * 8);
    }
    if (t->dtype[0] == 'I') t->ints = ts_alloc(t->size * sizeof *t->ints);
    for (size_t i = 0; i < t->size; i++) {
        if (t->wide) t->data[i] = (float)t->wide[i];
        else if (t->ints) {
            int32_t narrow;
            if (ts_width(t->dtype) == 8) memcpy(&t->ints[i], bytes + 8 * i, 8);
            else memcpy(&narrow, bytes + 4 * i, 4), t->ints[i] = narrow;
            t->data[i] = (float)t->ints[i];
        } else if (!strcmp(t->dtype, "F32")) memcpy(&t->data[i], bytes + 4 * i, 4);
        else {
            uint16_t bits;
            memcpy(&bits, bytes + 2 * i, 2);
            t->data[i] = t->dtype[0] == 'B' ? ts_from_bfloat16(bits) : ts_from_float16(bits);
        }
    }
}

static ts_file ts_read(const char *path) {
    ts_file file = {0};
    FILE *stream = fopen(path, "rb");
    uint64_t length = 0;
    long end;
    if (!stream || fseek(stream, 0, SEEK_END) || (end = ftell(stream)) < 8) ts_die("%s cannot be read", path);
    rewind(stream);
    if (fread(&length, 1, 8, stream) != 8 || length > (uint64_t)end - 8) ts_die("%s is not a safetensors file", path);
    size_t rest = (size_t)end - 8 - (size_t)length;
    file.header = ts_alloc((size_t)length + 1);
    unsigned char *bytes = ts_alloc(rest);
    if (fread(file.header, 1, (size_t)length, stream) != length || fread(bytes, 1, rest, stream) != rest)
        ts_die("%s ends too early", path);
    fclose(stream);
    const char *p = strchr(file.header, '{');
    for (p = p ? p + 1 : ""; *p && *p != '}';) {
        while (*p == ' ' || *p == ',') p++;
        if (*p != '"') break;
        char name[TS_NAME];
        ts_text(p, name, sizeof name);
        for (p = ts_skip_string(p); *p == ' ' || *p == ':'; p++) {}
        const char *entry = p;
        p = ts_skip_value(p);
        if (!strcmp(name, "__metadata__")) continue;
        if (file.count == TS_MAX_TENSORS) ts_die("%s has more than %d tensors", path, TS_MAX_TENSORS);
        ts_tensor *t = &file.tensors[file.count++];
        strcpy(t->name, name);
        ts_text(ts_value(entry, "dtype"), t->dtype, sizeof t->dtype);
        const char *shape = ts_value(entry, "shape"), *offsets = ts_value(entry, "data_offsets");
        if (!shape || !offsets) ts_die("%s: tensor %s has no shape or no data_offsets", path, name);
        t->size = 1;
        for (shape++; *shape && *shape != ']'; shape++) {
            if (*shape < '0' || *shape > '9') continue;
            if (t->rank == TS_MAX_RANK) ts_die("%s: tensor %s has more than %d axes", path, name, TS_MAX_RANK);
            t->size *= t->shape[t->rank++] = (size_t)strtoull(shape, (char **)&shape, 10);
            shape--;
        }
        size_t begin = (size_t)strtoull(offsets + 1, NULL, 10);
        if (begin > rest || t->size > (rest - begin) / ts_width(t->dtype)) ts_die("%s: tensor %s does not fit", path, name);
        ts_load(t, bytes + begin);
    }
    free(bytes);
    return file;
}

static void ts_free(ts_file *file) {
    for (int n = 0; n < file->count; n++) {
        free(file->tensors[n].data);
        free(file->tensors[n].wide);
        free(file->tensors[n].ints);
    }
    free(file->header);
    memset(file, 0, sizeof *file);
}

static const ts_tensor *ts_find(const ts_file *file, const char *name) {
    for (int n = 0; n < file->count; n++)
        if (!strcmp(file->tensors[n].name, name)) return &file->tensors[n];
    return NULL;
}

static void ts_write(const char *path, const ts_file *file) {
    size_t room = 64 + (size_t)file->count * (TS_NAME + 64 + 24 * TS_MAX_RANK), at = 0, length;
    char *header = ts_alloc(room);
    length = (size_t)sprintf(header, "{");
    for (int n = 0; n < file->count; n++) {
        const ts_tensor *t = &file->tensors[n];
        length += (size_t)sprintf(header + length, "%s\"%s\":{\"dtype\":\"%s\",\"shape\":[", n ? "," : "", t->name, t->dtype);
        for (int i = 0; i < t->rank; i++) length += (size_t)sprintf(header + length, "%s%zu", i ? "," : "", t->shape[i]);
        length += (size_t)sprintf(header + length, "],\"data_offsets\":[%zu,%zu]}", at, at + t->size * ts_width(t->dtype));
        at += t->size * ts_width(t->dtype);
    }
    header[length++] = '}';
    while (length % 8) header[length++] = ' ';
    uint64_t word = length;
    FILE *stream = fopen(path, "wb");
    if (!stream) ts_die("%s cannot be written", path);
    fwrite(&word, 1, 8, stream);
    fwrite(header, 1, length, stream);
    for (int n = 0; n < file->count; n++) {
        const ts_tensor *t = &file->tensors[n];
        for (size_t i = 0; i < t->size; i++) {
            uint16_t bits = t->dtype[0] == 'B' ? ts_to_bfloat16(t->data[i]) : t->dtype[1] == '1' ? ts_to_float16(t->data[i]) : 0;
            if (ts_width(t->dtype) == 4) fwrite(&t->data[i], 1, 4, stream);
            else fwrite(&bits, 1, 2, stream);
        }
    }
    free(header);
    if (fclose(stream)) ts_die("%s cannot be written", path);
}

/* --- the protocol ------------------------------------------------------------------------------------------------------ */

static int ts_next(ts_case *c) {
    char path[4096];
    ts_free(&c->in);
    ts_free(&c->out);
    if (!fgets(c->line, sizeof c->line, stdin)) return 0;
    const char *number = ts_value(c->line, "case");
    if (!number) ts_die("the request has no case: %.80s", c->line);
    const char *protocol = ts_value(c->line, "protocol");
    long spoken = protocol ? strtol(protocol, NULL, 10) : 1;
    if (spoken != TS_PROTOCOL)
        ts_die("speaks protocol %d, the judge %ld: take golden/clients of the judge's version", TS_PROTOCOL, spoken);
    c->number = strtol(number, NULL, 10);
    ts_text(ts_value(c->line, "op"), c->op, sizeof c->op);
    ts_text(ts_value(c->line, "dtype"), c->dtype, sizeof c->dtype);
    ts_text(ts_value(c->line, "inputs"), path, sizeof path);
    c->in = ts_read(path);
    return 1;
}

static const ts_tensor *ts_input(const ts_case *c, const char *name) {
    const ts_tensor *t = ts_find(&c->in, name);
    if (!t) ts_die("%s has no input %s", c->op, name);
    return t;
}

static double ts_scalar(const ts_case *c, const char *name) {
    const char *value = ts_value(ts_value(c->line, "scalars"), name);
    if (!value) ts_die("%s has no scalar %s", c->op, name);
    return strtod(value, NULL);
}

static int ts_scalar_is(const ts_case *c, const char *name, const char *word) {
    char text[TS_NAME];
    ts_text(ts_value(ts_value(c->line, "scalars"), name), text, sizeof text);
    return !strcmp(text, word);
}

static ts_tensor *ts_output(ts_case *c, const char *name, int rank, const size_t *shape) {
    char quoted[TS_NAME + 2];
    if (c->out.count == TS_MAX_TENSORS) ts_die("more than %d outputs", TS_MAX_TENSORS);
    ts_tensor *t = &c->out.tensors[c->out.count++];
    snprintf(t->name, sizeof t->name, "%s", name);
    snprintf(quoted, sizeof quoted, "\"%s\"", name);
    const char *wide = ts_value(c->line, "float32Outputs"), *end = wide ? ts_skip_value(wide) : NULL;
    const char *found = wide ? strstr(wide, quoted) : NULL;
    int is_float32 = !strcmp(c->dtype, "float32") || (found && found < end);
    strcpy(t->dtype, is_float32 ? "F32" : !strcmp(c->dtype, "bfloat16") ? "BF16" : "F16");
    t->rank = rank;
    t->size = 1;
    for (int i = 0; i < rank; i++) t->size *= t->shape[i] = shape[i];
    t->data = ts_alloc(t->size * sizeof *t->data);
    return t;
}

static void ts_answer(ts_case *c) {
    char path[4096];
    ts_text(ts_value(c->line, "outputs"), path, sizeof path);
    ts_write(path, &c->out);
    printf("{\"protocol\":%d,\"case\":%ld}\n", TS_PROTOCOL, c->number);
    fflush(stdout);
}

static void ts_say(const ts_case *c, const char *field, const char *why) {
    printf("{\"protocol\":%d,\"case\":%ld,\"%s\":\"", TS_PROTOCOL, c->number, field);
    for (; *why; why++) putchar(*why == '"' || *why == '\\' || (unsigned char)*why < ' ' ? '\'' : *why); /* keeps the line JSON */
    printf("\"}\n");
    fflush(stdout);
}

static void ts_refuse(ts_case *c, const char *why) { ts_say(c, "error", why); }

static void ts_unsupported(ts_case *c, const char *why) { ts_say(c, "unsupported", why); }

/* --- fixtures ---------------------------------------------------------------------------------------------------------- */

/* Whether some number of that dtype lies outside the bound: an infinite one promises nothing, nor does one that none exceeds. */
static int ts_judged(double want, double bound, const char *dtype) {
    double largest = !strcmp(dtype, "float16") ? 65504 : !strcmp(dtype, "bfloat16") ? 0x1.fep127 : 0x1.fffffep127;
    return isfinite(want) ? bound < largest + fabs(want) : !isinf(bound);
}

static int ts_accepts(double got, double want, double bound, const char *dtype) {
    if (!ts_judged(want, bound, dtype) || got == want) return 1; /* nothing is promised, or nothing is wrong */
    if (!strcmp(dtype, "float32")) return fabs(got - want) <= bound; /* false for NaN */
    return got >= ts_round(want - bound, dtype) && got <= ts_round(want + bound, dtype);
}

#define TS_ALLOWED_UNJUDGED 0.1 /* of an output's elements, how many may lack a finite bound before it is inconclusive */

static const char *const ts_outputs[][4] = {
    {"rmsnorm.forward", "y", "rstd"}, {"rmsnorm.backward", "dx", "dw"},
    {"linear.forward", "y"}, {"linear.backward", "dx", "dw"},
    {"rope-table.forward", "cos", "sin"}, {"rope.forward", "y"}, {"rope.backward", "dx"},
    {"softmax.forward", "y"}, {"softmax.backward", "dx"},
    {"attention.forward", "y", "lse"}, {"attention.backward", "dq", "dk", "dv"},
    {"swiglu.forward", "y"}, {"swiglu.backward", "dgate", "dup"},
    {"cross-entropy.forward", "loss", "lse"}, {"cross-entropy.backward", "dlogits"},
    {"embedding.forward", "y"}, {"embedding.backward", "dw"},
    {"add.forward", "y"}, {"cast.forward", "y"}, {"clip.forward", "g"},
    {"gradient-norm.forward", "norm"}, {"adamw.forward", "w", "m", "v"},
};

/* Ends the program for a fixture that is damaged where it would judge less than it says. */
static void ts_refuse_damage(const ts_file *file, const char *path, const char *op) {
    char name[2 * TS_NAME];
    for (size_t row = 0; row < sizeof ts_outputs / sizeof *ts_outputs; row++)
        for (int n = 1; !strcmp(ts_outputs[row][0], op) && n < 4 && ts_outputs[row][n]; n++) {
            snprintf(name, sizeof name, "out.%s", ts_outputs[row][n]);
            if (!ts_find(file, name)) ts_die("%s lacks %s, expected every output of %s", path, name, op);
        }
    int outputs = 0;
    for (int n = 0; n < file->count; n++) {
        const ts_tensor *t = &file->tensors[n];
        if (strncmp(t->name, "out.", 4)) continue;
        outputs++;
        snprintf(name, sizeof name, "bound.%s", t->name + 4);
        const ts_tensor *bound = ts_find(file, name);
        if (!bound || bound->size != t->size || !bound->wide || !t->wide)
            ts_die("%s: %s is missing or misshapen, expected as many F64 as %s", path, name, t->name);
        for (size_t i = 0; i < t->size; i++) {
            if (!(bound->wide[i] >= 0))
                ts_die("%s: %s[%zu] is %g, expected a number that is not negative", path, name, i, bound->wide[i]);
            if (!isfinite(t->wide[i]) && bound->wide[i] > 0 && !isinf(bound->wide[i]))
                ts_die("%s: %s[%zu] is %g with the bound %g, expected a finite number", path, t->name, i, t->wide[i],
                       bound->wide[i]);
        }
    }
    if (outputs == 0) ts_die("%s holds no outputs, expected those of %s", path, op);
}

/* How many outputs are missing, misshapen, outside their bounds, or judged too little; a line on standard output for each. */
static size_t ts_check_fixture(const char *fixture, const char *outputs) {
    ts_file want = ts_read(fixture), got = ts_read(outputs);
    const char *metadata = ts_value(want.header, "__metadata__");
    char dtype[TS_NAME], wide[1024], name[2 * TS_NAME];
    size_t wrong = 0;
    if (!metadata || !ts_value(metadata, "format") || !ts_value(metadata, "dtype") ||
        !ts_value(metadata, "op"))
        ts_die("%s is not a fixture", fixture);
    ts_text(ts_value(metadata, "format"), name, sizeof name);
    if (strcmp(name, TS_FIXTURE_FORMAT))
        ts_die("%s has format %s, expected %s: take the fixtures and golden/clients of one version", fixture, name,
               TS_FIXTURE_FORMAT);
    ts_text(ts_value(metadata, "dtype"), dtype, sizeof dtype);
    ts_text(ts_value(metadata, "float32Outputs"), wide, sizeof wide);
    ts_text(ts_value(metadata, "op"), name, sizeof name);
    ts_refuse_damage(&want, fixture, name);
    for (int n = 0; n < want.count; n++) {
        const ts_tensor *t = &want.tensors[n];
        if (strncmp(t->name, "out.", 4)) continue;
        snprintf(name, sizeof name, "bound.%s", t->name + 4);
        const ts_tensor *bound = ts_find(&want, name), *g = ts_find(&got, t->name + 4);
        if (!g || g->rank != t->rank || memcmp(g->shape, t->shape, sizeof *t->shape * (size_t)t->rank)) {
            printf("%s is missing or misshapen\n", t->name + 4);
            wrong++;
            continue;
        }
        int is_float32 = 0; /* whether the name is in the comma-separated list */
        for (const char *p = wide; *p;) {
            size_t length = strcspn(p, ",");
            is_float32 |= strlen(t->name + 4) == length && !strncmp(p, t->name + 4, length);
            p += length + (p[length] == ',');
        }
        size_t unjudged = 0, i;
        for (i = 0; i < t->size; i++) {
            const char *stored = is_float32 ? "float32" : dtype;
            unjudged += !ts_judged(t->wide[i], bound->wide[i], stored);
            if (!ts_accepts(g->data[i], t->wide[i], bound->wide[i], stored)) break;
        }
        if (i < t->size) {
            printf("%s[%zu]: got %.9g, want %.17g, bound %.3g\n", t->name + 4, i, g->data[i], t->wide[i], bound->wide[i]);
            wrong++;
        } else if ((double)unjudged > TS_ALLOWED_UNJUDGED * (double)t->size) {
            printf("inconclusive %s: %zu of %zu elements have no finite bound\n", t->name + 4, unjudged, t->size);
            wrong++;
        }
    }
    ts_free(&want);
    ts_free(&got);
    return wrong;
}

/* --- the counter-based generator of reference/random.ts, bit for bit --------------------------------------------------- */

static uint32_t ts_mix(uint32_t h) {
    h ^= h >> 16;
    h *= 0x85ebca6bu;
    h ^= h >> 13;
    h *= 0xc2b2ae35u;
    return h ^ h >> 16;
}

static uint32_t ts_bits(uint32_t seed, uint32_t stream, uint64_t i) {
    return ts_mix(ts_mix(ts_mix(ts_mix(seed + 0x9e3779b9u) + stream) + (uint32_t)(i >> 32)) + (uint32_t)i);
}

static double ts_uniform(uint32_t seed, uint32_t stream, uint64_t i) {
    return (ts_bits(seed, stream, i) >> 8) / 16777216.0;
}

static double ts_normal(uint32_t seed, uint32_t stream, uint64_t i) {
    uint32_t first = ts_bits(seed, stream, 2 * i), second = ts_bits(seed, stream, 2 * i + 1);
    return (2.0 * ((first >> 16) + (first & 0xffff) + (second >> 16)) - 3 * 65535.0) / 65536;
}

/* An integer from 0 to below - 1. */
static uint32_t ts_integer(uint32_t seed, uint32_t stream, uint64_t i, uint32_t below) {
    return (uint32_t)(((uint64_t)ts_bits(seed, stream, i) * below) >> 32);
}

#endif
