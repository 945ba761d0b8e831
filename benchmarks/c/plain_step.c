/* The training loop as one writes it in C without tuning: sample after sample, for MLP 2-WIDTH-WIDTH-1.

   gcc -O3 -march=native -shared -fPIC -DWIDTH=16 -DLANES=100 -DALPHA=1e-4 plain_step.c

   WIDTH units in both hidden layers, LANES samples, ALPHA times the sum of squares of the parameters in the loss. */

#include <string.h>

#define INPUTS 2
#define PARAMETERS ((int)(sizeof(struct network) / sizeof(double)))

/* Unit after unit: its weights, then its bias. */
struct network {
    double first[WIDTH][INPUTS + 1], second[WIDTH][WIDTH + 1], last[WIDTH + 1];
};

static double relu(double x) { return x > 0 ? x : 0; }

static double step(struct network *network, const double (*points)[INPUTS], const double *labels, double rate) {
    struct network slopes = {0};
    double squares = 0, decay = 0;
    for (int lane = 0; lane < LANES; lane++) {
        const double *x = points[lane];
        double one[WIDTH], two[WIDTH], slope_of_one[WIDTH] = {0};

        for (int u = 0; u < WIDTH; u++) {
            double sum = network->first[u][INPUTS];
            for (int i = 0; i < INPUTS; i++) sum += network->first[u][i] * x[i];
            one[u] = relu(sum);
        }
        for (int u = 0; u < WIDTH; u++) {
            double sum = network->second[u][WIDTH];
            for (int i = 0; i < WIDTH; i++) sum += network->second[u][i] * one[i];
            two[u] = relu(sum);
        }
        double error = network->last[WIDTH] - labels[lane];
        for (int i = 0; i < WIDTH; i++) error += network->last[i] * two[i];
        squares += error * error;

        double slope = error * (2.0 / LANES);
        slopes.last[WIDTH] += slope;
        for (int u = 0; u < WIDTH; u++) {
            slopes.last[u] += slope * two[u];
            double slope_of_two = two[u] > 0 ? slope * network->last[u] : 0;
            slopes.second[u][WIDTH] += slope_of_two;
            for (int i = 0; i < WIDTH; i++) {
                slopes.second[u][i] += slope_of_two * one[i];
                slope_of_one[i] += slope_of_two * network->second[u][i];
            }
        }
        for (int u = 0; u < WIDTH; u++) {
            double slope_of_sum = one[u] > 0 ? slope_of_one[u] : 0;
            slopes.first[u][INPUTS] += slope_of_sum;
            for (int i = 0; i < INPUTS; i++) slopes.first[u][i] += slope_of_sum * x[i];
        }
    }
    double *parameter = (double *)network, *of_parameter = (double *)&slopes;
    for (int i = 0; i < PARAMETERS; i++) {
        decay += parameter[i] * parameter[i];
        parameter[i] -= rate * (of_parameter[i] + 2 * ALPHA * parameter[i]);
    }
    return squares / LANES + ALPHA * decay;
}

void train(double *parameters, const double *points, const double *labels, double rate, long steps, double *losses) {
    struct network network;
    memcpy(&network, parameters, sizeof network);
    for (long i = 0; i < steps; i++) losses[i] = step(&network, (const double (*)[INPUTS])points, labels, rate);
    memcpy(parameters, &network, sizeof network);
}
