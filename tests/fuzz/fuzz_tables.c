/* SPDX-License-Identifier: Apache-2.0 */
/* acpi.c, mptable.c: any machine; what is written must read back as the same
 * one. Input: vCPUs, devices, then address and GSI of each. */
#include "fuzz.h"
#include "loader/load.h"
#include "mote/dev.h"

#define RAM      (16 * MIB)
#define CPUS_MAX 32

static struct mem *ram;

static const u8 *at(u64 gpa, u64 len)
{
    const u8 *p = mem_range(ram, gpa, len);

    assert(p);
    return p;
}

static u64 get(const u8 *p, size_t n)
{
    u64 val = 0;

    memcpy(&val, p, n);
    return val;
}

/* ---- ACPI: a reader that knows what acpi.c does not tell it -------------- */

static const u8 *table(u64 gpa, const char *signature, u32 *len)
{
    const u8 *t = at(gpa, 36);

    *len = (u32)get(t + 4, 4);
    assert(gpa >= ACPI_GPA && gpa + *len <= ACPI_GPA + ACPI_SIZE);
    assert(memcmp(t, signature, 4) == 0);
    assert(loader_sum(at(gpa, *len), *len) == 0);
    return t;
}

/* Local APICs in order, one I/O APIC with an id of its own. */
static void check_madt(u64 gpa, unsigned int cpus)
{
    unsigned int seen = 0, io = 0;
    u32 len;
    const u8 *t = table(gpa, "APIC", &len), *end = t + len;

    for (const u8 *e = t + 44; e < end; e += e[1]) {
        assert(e[1] >= 2 && e + e[1] <= end);
        assert(e[0] != 0 || (e[3] == seen && get(e + 4, 4) == 1));
        seen += e[0] == 0;
        assert(e[0] != 1 || (e[2] >= cpus && get(e + 4, 4) == IOAPIC_GPA));
        io += e[0] == 1;
    }
    assert(seen == cpus && io == 1);
}

/* PkgLength (ACPI 20.2.4): the end of the package; *p moves behind it. */
static const u8 *package(const u8 **p)
{
    const u8 *from = *p;
    unsigned int more = *from >> 6;
    u32 len = more ? *from & 15 : *from & 63;

    for (unsigned int i = 0; i < more; i++)
        len |= (u32)from[1 + i] << (4 + 8 * i);
    *p = from + 1 + more;
    return from + len;
}

/* The range and interrupt among the resources of one device. */
static void check_crs(const u8 *p, const u8 *end,
                      const struct loader_device *want)
{
    bool range = false, gsi = false;

    for (; p < end && *p != 0x79;
         p += *p & 0x80 ? 3 + get(p + 1, 2) : 1u + (*p & 7)) {
        range |= *p == 0x86 && get(p + 4, 4) == (u32)want->base &&
                 get(p + 8, 4) == PAGE_SIZE;
        gsi |= *p == 0x89 && p[4] == 1 && get(p + 5, 4) == want->gsi;
    }
    assert(p + 2 == end && range && gsi);
}

/* Device objects of \_SB; those named Vnnn are virtio's, in order. */
static void check_dsdt(u64 gpa, const struct loader_spec *spec)
{
    unsigned int seen = 0;
    u32 len;
    const u8 *t = table(gpa, "DSDT", &len), *p = t + 36, *end = t + len;

    p = memmem(p, (size_t)(end - p), "\x10", 1);
    p++;
    must(package(&p) == end && memcmp(p, "_SB_", 4) == 0);
    for (p += 4; p < end;) {
        const u8 *next, *crs;

        assert(p[0] == 0x5b && p[1] == 0x82);
        p += 2;
        next = package(&p);
        assert(next > p && next <= end);
        crs = memmem(p, (size_t)(next - p), "_CRS\x11", 5);
        assert(crs);
        crs += 5;
        must(package(&crs) == next && crs[0] == 10);
        assert(crs + 2 + crs[1] == next);
        if (p[0] == 'V')
            check_crs(crs + 2, next, &spec->device[seen++]);
        p = next;
    }
    assert(seen == spec->nr_devices);
}

static void check_acpi(const struct loader_spec *spec)
{
    const u8 *rsdp = at(ACPI_GPA, 36), *t;
    u32 len;

    assert(memcmp(rsdp, "RSD PTR ", 8) == 0 && rsdp[15] == 2);
    assert(loader_sum(rsdp, 20) == 0 && loader_sum(rsdp, 36) == 0);
    t = table(get(rsdp + 24, 8), "XSDT", &len);
    assert(len == 36 + 16);
    check_madt(get(t + 44, 8), spec->cpus);
    t = table(get(t + 36, 8), "FACP", &len);
    check_dsdt(get(t + 140, 8), spec);
}

/* ---- MultiProcessor Specification 1.4, 4 --------------------------------- */

static void check_mp(unsigned int cpus)
{
    static const u8 size[] = {20, 8, 8, 8, 8};
    const u8 *fp = at(MPTABLE_GPA, MPTABLE_SIZE), *h, *e;
    unsigned int seen[5] = {0}, entries;

    assert(memcmp(fp, "_MP_", 4) == 0 && loader_sum(fp, 16) == 0);
    h = at(get(fp + 4, 4), 44);
    assert(memcmp(h, "PCMP", 4) == 0);
    assert(get(h + 4, 2) <= MPTABLE_SIZE - 16);
    assert(loader_sum(h, get(h + 4, 2)) == 0);
    entries = (unsigned int)get(h + 34, 2);
    for (e = h + 44; entries > 0; entries--, e += size[e[0]]) {
        assert(e[0] < ARRAY_SIZE(seen));
        assert(e[0] != 0 || (e[1] == seen[0] && !(e[3] & 2) == (e[1] > 0)));
        assert(e[0] != 2 || e[1] >= cpus);
        seen[e[0]]++;
    }
    assert(e == h + get(h + 4, 2));
    assert(seen[0] == cpus && seen[1] == 1 && seen[2] == 1 && seen[3] == 24);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t len)
{
    struct fuzz_input in = {data, len};
    struct loader_spec spec = {.cpus = 1 + fuzz_take(&in, 1) % CPUS_MAX};

    if (!ram && mem_new(&ram, RAM) < 0)
        return 0;
    spec.nr_devices = fuzz_take(&in, 1) % (LOADER_DEVICE_MAX + 1);
    for (unsigned int i = 0; i < spec.nr_devices; i++) {
        spec.device[i].base = fuzz_take(&in, 4);
        spec.device[i].gsi = (u32)fuzz_take(&in, 4);
    }
    mem_fill(ram, MPTABLE_GPA, 0, MPTABLE_SIZE);
    must(mptable_write(ram, spec.cpus) == 0);
    must(acpi_write(ram, &spec) == 0);
    check_mp(spec.cpus);
    check_acpi(&spec);
    return 0;
}
