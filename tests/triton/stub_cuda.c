/* A libcuda.so.1 without a GPU: enough of the driver to load and launch kernels, which it records
   and does not run. Compiled by test_cuda.py with `cc -shared -fPIC`. */
#include <stdio.h>
#include <string.h>

typedef int Result;
enum { SUCCESS = 0, INVALID_VALUE = 1, OUT_OF_MEMORY = 2, NO_DEVICE = 100, INVALID_DEVICE = 101,
       INVALID_IMAGE = 200, NOT_FOUND = 500, ILLEGAL_ADDRESS = 700 };

typedef struct {
    long launches, loads, unloads;
    unsigned grid[3], block[3], shared;
    void *function, *stream;
    unsigned long long arguments[32];
    int shared_attribute, context;
} Record;

Record stub_record;
int stub_parameters = 0;    /* how many parameters the next launches have */
int stub_fail_launch = 0;   /* what they return */
int stub_fail_load = 0;
int stub_devices = 1, stub_version = 13000, stub_fail_init = 0;

static int contexts[8];
static char names[64][128];
static int number_of_names;

Result cuInit(unsigned flags) { return stub_fail_init; }
Result cuDriverGetVersion(int *version) { *version = stub_version; return SUCCESS; }
Result cuDeviceGetCount(int *count) { *count = stub_devices; return SUCCESS; }

Result cuDeviceGet(int *device, int index) {
    *device = index;
    return index < stub_devices ? SUCCESS : INVALID_DEVICE;
}

Result cuDeviceGetName(char *name, int size, int device) {
    snprintf(name, size, "Stub %d", device);
    return SUCCESS;
}

Result cuDeviceGetAttribute(int *value, int attribute, int device) {
    switch (attribute) {
    case 16: *value = 132; break;
    case 75: *value = 9; break;
    case 76: *value = 0; break;
    case 97: *value = 232448; break;
    default: *value = 1;
    }
    return SUCCESS;
}

Result cuDevicePrimaryCtxRetain(void **context, int device) {
    *context = &contexts[device];
    return SUCCESS;
}

Result cuCtxSetCurrent(void *context) {
    stub_record.context = (int)((int *)context - contexts);
    return SUCCESS;
}

Result cuModuleLoadData(void **module, const char *image) {
    if (stub_fail_load) return stub_fail_load;
    if (memcmp(image, "\x7f" "ELF", 4)) return INVALID_IMAGE;
    stub_record.loads++;
    *module = (void *)image;
    return SUCCESS;
}
Result cuModuleUnload(void *module) { stub_record.unloads++; return SUCCESS; }

Result cuModuleGetFunction(void **function, void *module, const char *name) {
    if (!strcmp(name, "missing")) return NOT_FOUND;
    *function = strncpy(names[number_of_names++ % 64], name, 127);
    return SUCCESS;
}

Result cuFuncSetAttribute(void *function, int attribute, int value) {
    if (attribute != 8) return INVALID_VALUE;
    if (value > 232448) return INVALID_VALUE;
    stub_record.shared_attribute = value;
    return SUCCESS;
}

Result cuGetErrorName(int code, const char **text) {
    switch (code) {
    case INVALID_VALUE: *text = "CUDA_ERROR_INVALID_VALUE"; break;
    case OUT_OF_MEMORY: *text = "CUDA_ERROR_OUT_OF_MEMORY"; break;
    case NO_DEVICE: *text = "CUDA_ERROR_NO_DEVICE"; break;
    case INVALID_IMAGE: *text = "CUDA_ERROR_INVALID_IMAGE"; break;
    case NOT_FOUND: *text = "CUDA_ERROR_NOT_FOUND"; break;
    case ILLEGAL_ADDRESS: *text = "CUDA_ERROR_ILLEGAL_ADDRESS"; break;
    default: *text = 0; return INVALID_VALUE;
    }
    return SUCCESS;
}
Result cuGetErrorString(int code, const char **text) { *text = "text of the stub"; return SUCCESS; }

Result cuLaunchKernel(void *function, unsigned gx, unsigned gy, unsigned gz,
                      unsigned bx, unsigned by, unsigned bz,
                      unsigned shared, void *stream, void **parameters, void **extra) {
    if (stub_fail_launch) return stub_fail_launch;
    if (gy > 65535 || gz > 65535 || gx > 2147483647u) return INVALID_VALUE;
    Record *r = &stub_record;
    r->launches++;
    r->grid[0] = gx, r->grid[1] = gy, r->grid[2] = gz;
    r->block[0] = bx, r->block[1] = by, r->block[2] = bz;
    r->shared = shared, r->function = function, r->stream = stream;
    for (int k = 0; k < stub_parameters; k++) memcpy(&r->arguments[k], parameters[k], 8);
    return SUCCESS;
}
