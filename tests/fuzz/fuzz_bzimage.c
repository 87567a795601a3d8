/* SPDX-License-Identifier: Apache-2.0 */
/*
 * loader.c, bzimage.c, initrd.c: any file as a kernel, with an initrd. What is
 * loaded lies in RAM, above what the tables need, and not over each other.
 * Input: size of the initrd, from 0xf0 on in MiB; then the kernel.
 */
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fuzz.h"
#include "loader/load.h"

#define RAM (16 * MIB)

static struct mem *ram;
static struct loader_file kernel = {.what = "kernel", .path = "k"};
static struct loader_file initrd = {.what = "initrd", .path = "i"};

static void fuzz_up(void)
{
    log_sink_set(fuzz_no_log);
    kernel.fd = memfd_create("kernel", MFD_CLOEXEC);
    initrd.fd = memfd_create("initrd", MFD_CLOEXEC);
    if (kernel.fd < 0 || ftruncate(initrd.fd, RAM) < 0 ||
        mem_new(&ram, RAM) < 0)
        abort();
}

static void check(const struct loader_result *out)
{
    u64 end = out->kernel_gpa + out->kernel_len;

    assert(out->kernel_gpa >= KERNEL_MIN && end > out->kernel_gpa);
    assert(end <= RAM && out->initrd_len == initrd.size);
    assert(out->bsp.rip >= out->kernel_gpa && out->bsp.rip < end);
    assert(out->format && strlen(out->version) < sizeof(out->version));
    if (initrd.size == 0)
        return;
    assert(out->initrd_gpa % PAGE_SIZE == 0 && out->initrd_gpa >= end);
    assert(out->initrd_gpa + out->initrd_len <= RAM);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t len)
{
    struct loader_spec spec = {
        .kernel = &kernel, .cmdline = "console=ttyS0", .cpus = 1};
    struct loader_result out;

    if (!ram)
        fuzz_up();
    if (len < 2 || pwrite(kernel.fd, data + 1, len - 1, 0) != (ssize_t)len - 1)
        return 0;
    kernel.size = len - 1;
    initrd.size = data[0] < 0xf0 ? data[0] * 8u : (data[0] & 15) * MIB;
    spec.initrd = initrd.size ? &initrd : NULL;
    if (loader_load(ram, &spec, &out) == 0)
        check(&out);
    return 0;
}
