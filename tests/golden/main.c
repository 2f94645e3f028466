/* golden CASE.json FOLDER: writes the model folder of a case. */
#include "golden/golden.h"

#include <stdio.h>

int main(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "usage: golden CASE.json FOLDER\n");
        return 2;
    }
    char why[512] = "";
    if (!golden_make(argv[1], argv[2], why, sizeof why)) {
        fprintf(stderr, "golden: %s\n", why);
        return 1;
    }
    return 0;
}
