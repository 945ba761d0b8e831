/* The C that CasADi generated for one training step, called from inside a loop.

   gcc -O3 -march=native -ffast-math -shared -fPIC -I<folder of training_step.c> -DPARAMETERS=337 -DARGUMENTS=<sz_arg>
       -DRESULTS=<sz_res> -DINTEGERS=<sz_iw> -DNUMBERS=<sz_w> casadi_loop.c

   The generated function is not called `step`: glibc exports a `step` of its own. */

#include "training_step.c"
#include <string.h>

void train(double *parameters, const double *points, const double *labels, double rate, long steps, double *losses) {
    static const casadi_real *arguments[ARGUMENTS];
    static casadi_real *results[RESULTS], numbers[NUMBERS], moved[PARAMETERS];
    static casadi_int integers[INTEGERS + 1];
    (void)rate; /* a constant of the generated code */
    for (long i = 0; i < steps; i++) {
        arguments[0] = parameters, arguments[1] = points, arguments[2] = labels;
        results[0] = moved, results[1] = &losses[i];
        training_step(arguments, results, integers, numbers, 0);
        memcpy(parameters, moved, sizeof moved);
    }
}
