/* Imitates what engines/energy.py asks of NVIDIA's libnvidia-ml.so.1, with the prototypes of nvml.h.
   There is one GPU. The file NVML_COUNTER holds its millijoules; empty, it is a GPU that does not count.
   With NVML_SLICED set it is divided (MIG). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct nvmlDevice_st *nvmlDevice_t;
enum { SUCCESS = 0, UNINITIALIZED = 1, NOT_SUPPORTED = 3, NOT_FOUND = 6 };
static int begun;
static int gpu; /* its address is the handle */

int nvmlInit_v2(void) {
    begun = 1;
    return SUCCESS;
}

int nvmlDeviceGetHandleByUUID(const char *uuid, nvmlDevice_t *device) {
    if (!begun) return UNINITIALIZED;
    if (strcmp(uuid, "GPU-0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0")) return NOT_FOUND;
    *device = (nvmlDevice_t)&gpu;
    return SUCCESS;
}

int nvmlDeviceGetMigMode(nvmlDevice_t device, unsigned int *current, unsigned int *pending) {
    if (device != (nvmlDevice_t)&gpu) return NOT_FOUND;
    *current = *pending = 1;
    return getenv("NVML_SLICED") ? SUCCESS : NOT_SUPPORTED;
}

int nvmlDeviceGetTotalEnergyConsumption(nvmlDevice_t device, unsigned long long *energy) {
    if (!begun) return UNINITIALIZED;
    if (device != (nvmlDevice_t)&gpu) return NOT_FOUND;
    FILE *counter = fopen(getenv("NVML_COUNTER"), "r");
    int read = counter ? fscanf(counter, "%llu", energy) : 0;
    if (counter) fclose(counter);
    return read == 1 ? SUCCESS : NOT_SUPPORTED;
}
