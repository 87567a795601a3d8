/* SPDX-License-Identifier: Apache-2.0 */
/*
 * acpi.c: RSDP, XSDT, FADT, MADT and DSDT of a hardware-reduced machine
 * (ACPI 6.4, 4.1): no PM1 blocks, no SCI, no timer; what is there is listed
 * in the DSDT and can be turned off through two ports.
 */
#include <stdio.h>

#include "mote/dev.h"
#include "mote/log.h"

#include "aml.h"
#include "load.h"

#define ACPI_ALIGN   64u
#define ACPI_HEADER  36u
#define ACPI_RSDP    36u
#define ACPI_FADT    276u
#define ACPI_CREATOR 1u

#define FADT_REVISION     6
#define FADT_MINOR        4
#define FADT_BOOT_ARCH    109
#define FADT_FLAGS        112
#define FADT_RESET_REG    116
#define FADT_RESET_VALUE  128
#define FADT_MINOR_OFFSET 131
#define FADT_X_DSDT       140
#define FADT_SLEEP_CTL    244
#define FADT_SLEEP_STS    256

/* IAPC_BOOT_ARCH, 5.2.9.3: Linux looks for an i8042 only when told of one,
 * and would wait long for a CMOS clock that is not there. */
#define BOOT_ARCH_8042   (1u << 1)
#define BOOT_ARCH_NO_VGA (1u << 2)
#define BOOT_ARCH_NO_RTC (1u << 5)

#define FADT_WBINVD    (1u << 0)
#define FADT_NO_PWRBTN (1u << 4) /* no fixed power and sleep buttons */
#define FADT_NO_SLPBTN (1u << 5)
#define FADT_RESET_SUP (1u << 10)
#define FADT_HEADLESS  (1u << 12)
#define FADT_REDUCED   (1u << 20)

#define RESET_VALUE 1
#define S5_TYPE     5 /* what \_S5 has the kernel write to the sleep control */

enum madt_entry { MADT_LAPIC = 0, MADT_IOAPIC = 1, MADT_LAPIC_NMI = 4 };

#define MADT_ENABLED  1u
#define MADT_ALL_CPUS 0xff

struct acpi {
    u8 *buf;
    size_t len, cap;
};

u8 loader_sum(const void *data, size_t len)
{
    const u8 *p = data;
    u8 sum = 0;

    for (size_t i = 0; i < len; i++)
        sum = (u8)(sum + p[i]);
    return sum;
}

/* Room for a table of len zero bytes; returns its offset. */
static size_t acpi_reserve(struct acpi *a, size_t len)
{
    size_t at = (a->len + ACPI_ALIGN - 1) & ~(size_t)(ACPI_ALIGN - 1);

    assert(at + len <= a->cap);
    memset(a->buf + a->len, 0, at + len - a->len);
    a->len = at + len;
    return at;
}

/* The common header, last, because of its check sum: 5.2.6 */
static void acpi_finish(u8 *t, const char *signature, u8 revision, size_t len)
{
    memcpy(t, signature, 4);
    le32_put(t + 4, (u32)len);
    t[8] = revision;
    memcpy(t + 10, "MOTE  MICROVM ", 14);
    le32_put(t + 24, 1);
    memcpy(t + 28, "MOTE", 4);
    le32_put(t + 32, ACPI_CREATOR);
    t[9] = 0;
    t[9] = (u8)-loader_sum(t, len);
}

/* Generic Address Structure: one byte-wide port, 5.2.3.2 */
static void acpi_port(u8 *gas, u16 port)
{
    gas[0] = 1; /* system I/O */
    gas[1] = 8; /* bits */
    gas[3] = 1; /* byte access */
    le64_put(gas + 4, port);
}

static void dsdt_serial(struct aml *a)
{
    size_t dev = aml_device(a, "COM1");
    struct aml_crs crs;

    aml_name_eisaid(a, "_HID", "PNP0501");
    aml_name_int(a, "_UID", 1);
    crs = aml_crs_begin(a);
    aml_crs_io(a, SERIAL_PORT, 8);
    aml_crs_interrupt(a, SERIAL_GSI);
    aml_crs_end(a, &crs);
    aml_end(a, dev);
}

static void dsdt_keyboard(struct aml *a)
{
    size_t dev = aml_device(a, "PS2K");
    struct aml_crs crs;

    aml_name_eisaid(a, "_HID", "PNP0303");
    crs = aml_crs_begin(a);
    aml_crs_io(a, I8042_PORT_DATA, 1);
    aml_crs_io(a, I8042_PORT_CMD, 1);
    aml_crs_interrupt(a, I8042_GSI);
    aml_crs_end(a, &crs);
    aml_end(a, dev);
}

static void dsdt_virtio(struct aml *a, unsigned int i,
                        const struct loader_device *d)
{
    struct aml_crs crs;
    char name[8];
    size_t dev;

    snprintf(name, sizeof(name), "V%03u", i % 1000);
    dev = aml_device(a, name);
    aml_name_string(a, "_HID", "LNRO0005");
    aml_name_int(a, "_UID", i);
    crs = aml_crs_begin(a);
    aml_crs_memory(a, (u32)d->base, PAGE_SIZE);
    aml_crs_interrupt(a, d->gsi);
    aml_crs_end(a, &crs);
    aml_end(a, dev);
}

static size_t acpi_dsdt(struct acpi *a, const struct loader_spec *spec)
{
    static const u8 s5[] = {S5_TYPE, 0, 0, 0};
    size_t at = acpi_reserve(a, ACPI_HEADER);
    struct aml aml = {.buf = a->buf, .len = a->len, .cap = a->cap};
    size_t scope;

    aml_name_package(&aml, "_S5_", s5, ARRAY_SIZE(s5));
    scope = aml_scope(&aml, "_SB_");
    dsdt_serial(&aml);
    dsdt_keyboard(&aml);
    for (unsigned int i = 0; i < spec->nr_devices; i++)
        dsdt_virtio(&aml, i, &spec->device[i]);
    aml_end(&aml, scope);
    assert(aml.len <= aml.cap);
    a->len = aml.len;
    acpi_finish(a->buf + at, "DSDT", 2, a->len - at);
    return at;
}

static size_t acpi_fadt(struct acpi *a, size_t dsdt)
{
    size_t at = acpi_reserve(a, ACPI_FADT);
    u8 *t = a->buf + at;

    le16_put(t + FADT_BOOT_ARCH,
             BOOT_ARCH_8042 | BOOT_ARCH_NO_VGA | BOOT_ARCH_NO_RTC);
    le32_put(t + FADT_FLAGS, FADT_WBINVD | FADT_NO_PWRBTN | FADT_NO_SLPBTN |
                                 FADT_RESET_SUP | FADT_HEADLESS | FADT_REDUCED);
    acpi_port(t + FADT_RESET_REG, SLEEP_PORT + 2);
    t[FADT_RESET_VALUE] = RESET_VALUE;
    t[FADT_MINOR_OFFSET] = FADT_MINOR;
    le64_put(t + FADT_X_DSDT, ACPI_GPA + dsdt);
    acpi_port(t + FADT_SLEEP_CTL, SLEEP_PORT);
    acpi_port(t + FADT_SLEEP_STS, SLEEP_PORT + 1);
    acpi_finish(t, "FACP", FADT_REVISION, ACPI_FADT);
    return at;
}

static u8 *madt_entry(struct acpi *a, enum madt_entry type, u8 len)
{
    u8 *e = a->buf + a->len;

    assert(a->len + len <= a->cap);
    memset(e, 0, len);
    e[0] = (u8)type;
    e[1] = len;
    a->len += len;
    return e;
}

/* No source overrides: each ISA interrupt is its GSI, edge, active high. */
static size_t acpi_madt(struct acpi *a, unsigned int cpus)
{
    size_t at = acpi_reserve(a, ACPI_HEADER + 8);
    u8 *e;

    le32_put(a->buf + at + ACPI_HEADER, LAPIC_GPA);
    for (unsigned int i = 0; i < cpus; i++) {
        e = madt_entry(a, MADT_LAPIC, 8);
        e[2] = (u8)i; /* processor UID */
        e[3] = (u8)i; /* APIC id */
        le32_put(e + 4, MADT_ENABLED);
    }
    e = madt_entry(a, MADT_IOAPIC, 12);
    e[2] = (u8)cpus; /* the first id no processor has */
    le32_put(e + 4, IOAPIC_GPA);
    e = madt_entry(a, MADT_LAPIC_NMI, 6);
    e[2] = MADT_ALL_CPUS;
    e[5] = 1; /* LINT1 */
    acpi_finish(a->buf + at, "APIC", 5, a->len - at);
    return at;
}

static size_t acpi_xsdt(struct acpi *a, size_t fadt, size_t madt)
{
    size_t len = ACPI_HEADER + 2 * sizeof(u64);
    size_t at = acpi_reserve(a, len);
    u8 *t = a->buf + at;

    le64_put(t + ACPI_HEADER, ACPI_GPA + fadt);
    le64_put(t + ACPI_HEADER + 8, ACPI_GPA + madt);
    acpi_finish(t, "XSDT", 1, len);
    return at;
}

/* Revision 2: the check sum of 1.0 covers the first 20 bytes, 5.2.5.3 */
static void acpi_rsdp(u8 *t, size_t xsdt)
{
    memcpy(t, "RSD PTR ", 8);
    memcpy(t + 9, "MOTE  ", 6);
    t[15] = 2;
    le32_put(t + 20, ACPI_RSDP);
    le64_put(t + 24, ACPI_GPA + xsdt);
    t[8] = (u8)-loader_sum(t, 20);
    t[32] = (u8)-loader_sum(t, ACPI_RSDP);
}

size_t acpi_build(u8 *buf, size_t cap, const struct loader_spec *spec)
{
    struct acpi a = {.buf = buf, .cap = cap};
    size_t rsdp = acpi_reserve(&a, ACPI_RSDP);
    size_t dsdt = acpi_dsdt(&a, spec);
    size_t fadt = acpi_fadt(&a, dsdt);
    size_t madt = acpi_madt(&a, spec->cpus);

    acpi_rsdp(buf + rsdp, acpi_xsdt(&a, fadt, madt));
    return a.len;
}

int acpi_write(struct mem *m, const struct loader_spec *spec)
{
    u8 buf[8 * KIB];
    size_t len = acpi_build(buf, sizeof(buf), spec);

    return mem_write(m, ACPI_GPA, buf, len);
}
