/* The bound that the compiler is held to: the training loop for MLP 2-WIDTH-WIDTH-1, tuned by hand, lanes innermost.

   gcc -O3 -march=native -ffast-math -shared -fPIC -DWIDTH=16 -DLANES=100 -DALPHA=1e-4 tuned_step.c

   WIDTH units in both hidden layers, LANES samples, ALPHA times the sum of squares of the parameters in the loss.

   A row of activations is one unit over all samples; a vector is as many samples of it as fit a register. Sizes are
   constants, everything stays in the L1 cache, nothing is allocated. Products run in tiles that fill the registers:
   twelve sums, which hide the latency of the multiply-add, and seven loads for twelve multiply-adds.

   Measured choices, on a core without AVX-512: loops unrolled once (not at all: 6 % slower; as -O3 likes: 30 % at
   WIDTH 8); rows kept in registers by hand (20 %); four units by three vectors. That is 90 % of the multiply-add peak
   at WIDTH 16 and 80 % at WIDTH 8. */

#ifdef __AVX512F__
#define VECTOR 8
#else
#define VECTOR 4
#endif
#define INPUTS 2
#define VECTORS ((LANES + VECTOR - 1) / VECTOR)
#define PARAMETERS (WIDTH * (INPUTS + 1) + WIDTH * (WIDTH + 1) + WIDTH + 1)
#define PADDING (VECTOR - PARAMETERS % VECTOR)

#define INLINE static inline __attribute__((always_inline))
#define EACH(i, count) _Pragma("GCC unroll 16") for (int i = 0; i < (count); i++)
#define TWICE _Pragma("GCC unroll 2")

typedef double vector __attribute__((vector_size(8 * VECTOR)));
typedef double four __attribute__((vector_size(32)));
typedef long flags __attribute__((vector_size(8 * VECTOR)));
typedef long order __attribute__((vector_size(32)));

_Static_assert(WIDTH % 8 == 0, "units come in tiles of four and eight");

/* Of a layer: for each input a row with the weights of all units, then their biases. A tile reads neighbours. */
struct parameters {
    double first[INPUTS + 1][WIDTH], second[WIDTH + 1][WIDTH], last[WIDTH + 1], padding[PADDING];
} __attribute__((aligned(64)));

static vector x[INPUTS][VECTORS], y[VECTORS], error[VECTORS];
static vector real[VECTORS];                           /* 1 for samples, 0 for the padding of the last vector */
static vector one[WIDTH][VECTORS], two[WIDTH][VECTORS]; /* the hidden layers; on the way back, slopes in their place */
static struct parameters weights, slopes;

INLINE vector all(double number) { return number - (vector){0}; }
INLINE vector where_positive(vector condition, vector sum) { return (vector)((flags)sum & (condition > 0)); }
INLINE vector relu(vector sum) { return where_positive(sum, sum); }

/* Load once and keep: left to itself, gcc reads a row again for every product, and loads become the limit. */
INLINE vector loaded(vector row) {
#ifdef __AVX__
    __asm__("" : "+v"(row));
#endif
    return row;
}

INLINE double total(vector sum) {
    double result = 0;
    EACH(i, VECTOR) result += sum[i];
    return result;
}

INLINE four folded(vector sum) {
#if VECTOR == 8
    return __builtin_shufflevector(sum, sum, 0, 1, 2, 3) + __builtin_shufflevector(sum, sum, 4, 5, 6, 7);
#else
    return sum;
#endif
}

/* The totals of four vectors, as neighbours: a transposition in two steps, with an addition after each. */
INLINE void store_totals(double *to, const vector sums[4]) {
    four a = folded(sums[0]), b = folded(sums[1]), c = folded(sums[2]), d = folded(sums[3]);
    four ab = __builtin_shuffle(a, b, (order){0, 4, 2, 6}) + __builtin_shuffle(a, b, (order){1, 5, 3, 7});
    four cd = __builtin_shuffle(c, d, (order){0, 4, 2, 6}) + __builtin_shuffle(c, d, (order){1, 5, 3, 7});
    *(four *)to = __builtin_shuffle(ab, cd, (order){0, 1, 4, 5}) + __builtin_shuffle(ab, cd, (order){2, 3, 6, 7});
}

/* A tile of a hidden layer: out[unit] = relu(bias[unit] + sum of w[i][unit] * in[i]); w[inputs] are the biases. */
INLINE void layer_tile(int inputs, double (*w)[WIDTH], vector (*in)[VECTORS], vector (*out)[VECTORS], int unit,
                       int units, int at, int wide) {
    vector sum[8][3], row[3];
    EACH(u, units) EACH(v, wide) sum[u][v] = all(w[inputs][unit + u]);
    TWICE for (int i = 0; i < inputs; i++) {
        EACH(v, wide) row[v] = loaded(in[i][at + v]);
        EACH(u, units) EACH(v, wide) sum[u][v] += all(w[i][unit + u]) * row[v];
    }
    EACH(u, units) EACH(v, wide) out[unit + u][at + v] = relu(sum[u][v]);
}

/* `wide` vectors of samples through the network. Leaves the slopes of the outputs in `error`; returns the squares. */
INLINE vector forward(int at, int wide, int units) {
    for (int unit = 0; unit < WIDTH; unit += units)
        layer_tile(INPUTS, weights.first, x, one, unit, units, at, wide);
    for (int unit = 0; unit < WIDTH; unit += units)
        layer_tile(WIDTH, weights.second, one, two, unit, units, at, wide);
    vector squares = all(0);
    EACH(v, wide) {
        vector even = all(weights.last[WIDTH]) - y[at + v], odd = all(0);
        EACH(u, WIDTH / 2) {
            even += all(weights.last[2 * u]) * two[2 * u][at + v];
            odd += all(weights.last[2 * u + 1]) * two[2 * u + 1][at + v];
        }
        vector wrong = (even + odd) * real[at + v];
        squares += wrong * wrong;
        error[at + v] = wrong * (2.0 / LANES);
    }
    return squares;
}

/* For four units of the second layer: the slopes of the weights that read them, of their sums, of their biases. */
INLINE void back_through_last(int unit) {
    vector weight[4], of_weight[4], of_bias[4];
    EACH(u, 4) weight[u] = all(weights.last[unit + u]);
    EACH(u, 4) of_weight[u] = of_bias[u] = all(0);
    TWICE for (int v = 0; v < VECTORS; v++)
        EACH(u, 4) {
            vector slope = where_positive(two[unit + u][v], weight[u] * error[v]);
            of_weight[u] += two[unit + u][v] * error[v];
            of_bias[u] += slope;
            two[unit + u][v] = slope;
        }
    store_totals(&slopes.last[unit], of_weight);
    store_totals(&slopes.second[WIDTH][unit], of_bias);
}

/* A tile of slopes of the second layer's weights: for each input and unit the total of one[input] * two[unit]. */
INLINE void weight_tile(int unit, int units, int input, int inputs) {
    vector sum[3][8], row[3];
    EACH(i, inputs) EACH(u, units) sum[i][u] = all(0);
    TWICE for (int v = 0; v < VECTORS; v++) {
        EACH(i, inputs) row[i] = loaded(one[input + i][v]);
        EACH(u, units) {
            vector slope = loaded(two[unit + u][v]);
            EACH(i, inputs) sum[i][u] += row[i] * slope;
        }
    }
    EACH(i, inputs) EACH(u, units / 4) store_totals(&slopes.second[input + i][unit + 4 * u], &sum[i][4 * u]);
}

/* A tile of slopes of the first layer's sums, in the place of `one`. */
INLINE void input_tile(int input, int inputs, int at, int wide) {
    vector sum[8][3], row[3];
    EACH(i, inputs) EACH(v, wide) sum[i][v] = all(0);
    TWICE for (int u = 0; u < WIDTH; u++) {
        EACH(v, wide) row[v] = loaded(two[u][at + v]);
        EACH(i, inputs) EACH(v, wide) sum[i][v] += all(weights.second[input + i][u]) * row[v];
    }
    EACH(i, inputs) EACH(v, wide) {
        vector *place = &one[input + i][at + v];
        *place = where_positive(*place, sum[i][v]);
    }
}

/* The slopes of the weights and biases of four units of the first layer. */
INLINE void back_through_first(int unit) {
    vector sum[INPUTS + 1][4];
    EACH(i, INPUTS + 1) EACH(u, 4) sum[i][u] = all(0);
    TWICE for (int v = 0; v < VECTORS; v++)
        EACH(u, 4) {
            EACH(i, INPUTS) sum[i][u] += x[i][v] * one[unit + u][v];
            sum[INPUTS][u] += one[unit + u][v];
        }
    EACH(i, INPUTS + 1) store_totals(&slopes.first[i][unit], sum[i]);
}

static double step(double rate) {
    enum { INPUTS_IN_THREES = WIDTH / 3 * 3, VECTORS_IN_THREES = VECTORS / 3 * 3 };
    vector squares = all(0), of_bias = all(0), decay = all(0);
    for (int at = 0; at < VECTORS_IN_THREES; at += 3) squares += forward(at, 3, 4);
    for (int at = VECTORS_IN_THREES; at < VECTORS; at++) squares += forward(at, 1, 8);

    for (int v = 0; v < VECTORS; v++) of_bias += error[v];
    slopes.last[WIDTH] = total(of_bias);
    for (int unit = 0; unit < WIDTH; unit += 4) back_through_last(unit);

    for (int unit = 0; unit < WIDTH; unit += 4) {
        for (int input = 0; input < INPUTS_IN_THREES; input += 3) weight_tile(unit, 4, input, 3);
        if (WIDTH % 3 == 2) weight_tile(unit, 4, INPUTS_IN_THREES, 2);
    }
    for (int unit = 0; unit < WIDTH && WIDTH % 3 == 1; unit += 8) weight_tile(unit, 8, INPUTS_IN_THREES, 1);

    for (int at = 0; at < VECTORS_IN_THREES; at += 3)
        for (int input = 0; input < WIDTH; input += 4) input_tile(input, 4, at, 3);
    for (int at = VECTORS_IN_THREES; at < VECTORS; at++)
        for (int input = 0; input < WIDTH; input += 8) input_tile(input, 8, at, 1);
    for (int unit = 0; unit < WIDTH; unit += 4) back_through_first(unit);

    vector *parameter = (vector *)&weights, *of_parameter = (vector *)&slopes;
    TWICE for (int i = 0; i < (PARAMETERS + PADDING) / VECTOR; i++) {
        decay += parameter[i] * parameter[i];
        parameter[i] -= rate * (of_parameter[i] + 2 * ALPHA * parameter[i]);
    }
    return total(squares) / LANES + ALPHA * total(decay);
}

/* parameters: unit after unit its weights, then its bias, here and there; points [LANES][INPUTS]; losses [steps]. */
void train(double *parameters, const double *points, const double *labels, double rate, long steps, double *losses) {
    double *places[PARAMETERS], **place = places;
    for (int u = 0; u < WIDTH; u++)
        for (int i = 0; i <= INPUTS; i++) *place++ = &weights.first[i][u];
    for (int u = 0; u < WIDTH; u++)
        for (int i = 0; i <= WIDTH; i++) *place++ = &weights.second[i][u];
    for (int i = 0; i <= WIDTH; i++) *place++ = &weights.last[i];

    for (int lane = 0; lane < LANES; lane++) {
        for (int i = 0; i < INPUTS; i++) ((double *)x[i])[lane] = points[lane * INPUTS + i];
        ((double *)y)[lane] = labels[lane];
        ((double *)real)[lane] = 1;
    }
    for (int i = 0; i < PARAMETERS; i++) *places[i] = parameters[i];
    for (long i = 0; i < steps; i++) losses[i] = step(rate);
    for (int i = 0; i < PARAMETERS; i++) parameters[i] = *places[i];
}
