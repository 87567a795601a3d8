/* SPDX-License-Identifier: Apache-2.0 */
/* acpi.c: found and summed as a kernel does, and read back by iasl */
#include <sys/wait.h>

#include "loader_test.h"

#include "mote/dev.h"

#define TABLES_MAX (8 * KIB)

static struct loader_spec spec_of(unsigned int cpus, unsigned int devices)
{
    struct loader_spec spec = {.cpus = cpus, .nr_devices = devices};

    for (unsigned int i = 0; i < devices; i++)
        spec.device[i] = (struct loader_device){
            .base = VIRTIO_BASE + i * 0x1000, .gsi = VIRTIO_GSI + i};
    return spec;
}

/* A table by its guest address: signature and sum are right. */
static const u8 *table(const u8 *buf, size_t len, u64 gpa, const char *name)
{
    const u8 *t = buf + (gpa - ACPI_GPA);

    ck_assert_uint_ge(gpa, ACPI_GPA);
    ck_assert_uint_le(gpa - ACPI_GPA + 36, len);
    ck_assert_mem_eq(t, name, 4);
    ck_assert_uint_le(gpa - ACPI_GPA + le32_get(t + 4), len);
    ck_assert_uint_eq(loader_sum(t, le32_get(t + 4)), 0);
    return t;
}

static const struct shape {
    unsigned int cpus, devices;
} shapes[] = {{1, 0}, {2, 1}, {32, LOADER_DEVICE_MAX}};

START_TEST(test_walk)
{
    const struct shape *t = &shapes[_i];
    struct loader_spec spec = spec_of(t->cpus, t->devices);
    u8 buf[TABLES_MAX];
    size_t len = acpi_build(buf, sizeof(buf), &spec);
    const u8 *xsdt, *fadt, *madt, *end;
    unsigned int cpus = 0;

    ck_assert_mem_eq(buf, "RSD PTR ", 8);
    ck_assert_uint_eq(loader_sum(buf, 20), 0);
    ck_assert_uint_eq(loader_sum(buf, 36), 0);
    xsdt = table(buf, len, le64_get(buf + 24), "XSDT");
    ck_assert_uint_eq(le32_get(xsdt + 4), 36 + 2 * 8);
    fadt = table(buf, len, le64_get(xsdt + 36), "FACP");
    madt = table(buf, len, le64_get(xsdt + 44), "APIC");
    table(buf, len, le64_get(fadt + 140), "DSDT");

    ck_assert_uint_eq(le32_get(fadt + 112) >> 20 & 1, 1); /* reduced */
    ck_assert_uint_eq(fadt[116], 1);                      /* reset: a port */
    ck_assert_uint_eq(le64_get(fadt + 120), SLEEP_PORT + 2);
    ck_assert_uint_eq(fadt[128], 1);
    ck_assert_uint_eq(le64_get(fadt + 248), SLEEP_PORT);
    ck_assert_uint_eq(le64_get(fadt + 260), SLEEP_PORT + 1);

    end = madt + le32_get(madt + 4);
    for (const u8 *e = madt + 44; e < end; e += e[1]) {
        ck_assert_uint_ge(e[1], 2);
        if (e[0] == 0)
            ck_assert_uint_eq(e[3], cpus++);
    }
    ck_assert_uint_eq(cpus, t->cpus);
}
END_TEST

/* Run a command in the test's directory; its output is in the file "out". */
static int run(const char *cmd)
{
    char line[256];
    int r;

    snprintf(line, sizeof(line), "cd %s && { %s; } > out 2>&1", lt_dir, cmd);
    r = system(line);
    return WIFEXITED(r) ? WEXITSTATUS(r) : -1;
}

static const char *read_file(const char *name)
{
    static char text[64 * KIB];
    FILE *f = fopen(lt_path(name), "r");
    size_t n;

    ck_assert_ptr_nonnull(f);
    n = fread(text, 1, sizeof(text) - 1, f);
    text[n] = '\0';
    fclose(f);
    return text;
}

static bool have_iasl(void)
{
    if (run("command -v iasl") == 0)
        return true;
    unit_skip("iasl", "iasl not installed");
    return false;
}

static void check_said(const char *file, const char *want)
{
    ck_assert_msg(strstr(read_file(file), want) != NULL, "no \"%s\" in %s",
                  want, file);
}

/* Every table disassembles; the DSDT compiles again to the same bytes. */
static void check_iasl(const u8 *buf, size_t len)
{
    const u8 *xsdt = table(buf, len, le64_get(buf + 24), "XSDT");
    const u8 *fadt = table(buf, len, le64_get(xsdt + 36), "FACP");
    const u8 *madt = table(buf, len, le64_get(xsdt + 44), "APIC");
    const u8 *dsdt = table(buf, len, le64_get(fadt + 140), "DSDT");
    u32 size = le32_get(dsdt + 4);

    lt_file("xsdt.dat", xsdt, le32_get(xsdt + 4));
    lt_file("fadt.dat", fadt, le32_get(fadt + 4));
    lt_file("madt.dat", madt, le32_get(madt + 4));
    lt_file("dsdt.dat", dsdt, size);
    ck_assert_msg(run("for t in xsdt fadt madt dsdt; do iasl -d $t.dat || "
                      "exit 1; done") == 0,
                  "%s", read_file("out"));
    ck_assert_ptr_null(strstr(read_file("out"), "Error"));
    ck_assert_ptr_null(strstr(read_file("out"), "Warning"));
    ck_assert_ptr_null(strstr(read_file("fadt.dsl"), "Invalid"));
    ck_assert_msg(run("iasl -p new dsdt.dsl") == 0, "%s", read_file("out"));
    check_said("out", "0 Errors, 0 Warnings");
    /* all but the header, where iasl puts its own name and sum */
    ck_assert_msg(run("cmp -i 36 dsdt.dat new.aml") == 0, "%s",
                  read_file("out"));
}

START_TEST(test_iasl)
{
    const struct shape *t = &shapes[_i];
    struct loader_spec spec = spec_of(t->cpus, t->devices);
    u8 buf[TABLES_MAX];
    size_t len = acpi_build(buf, sizeof(buf), &spec);

    if (!have_iasl())
        return;
    check_iasl(buf, len);
    check_said("dsdt.dsl", "EisaId (\"PNP0501\")");
    check_said("dsdt.dsl", "EisaId (\"PNP0303\")");
    check_said("fadt.dsl", "Hardware Reduced (V5) : 1");
    check_said("madt.dsl", "Address : FEC00000");
    if (t->devices == 0)
        return;
    check_said("dsdt.dsl", "\"LNRO0005\"");
    check_said("dsdt.dsl", "0xC0001000");
    check_said("dsdt.dsl", "Interrupt (ResourceConsumer, Edge, ActiveHigh, "
                           "Exclusive");
}
END_TEST

START_TEST(test_write)
{
    struct loader_spec spec = spec_of(32, LOADER_DEVICE_MAX);
    u8 buf[TABLES_MAX];
    size_t len = acpi_build(buf, sizeof(buf), &spec);
    struct mem *m;

    ck_assert_int_eq(mem_new(&m, TEST_RAM), 0);
    ck_assert_int_eq(acpi_write(m, &spec), 0);
    ck_assert_mem_eq(mem_range(m, ACPI_GPA, len), buf, len);
    mem_free(m);
}
END_TEST

Suite *suite_acpi(void);
Suite *suite_acpi(void)
{
    Suite *s = suite_create("acpi");
    TCase *tc = tcase_create("acpi");

    tcase_add_checked_fixture(tc, lt_setup, lt_teardown);
    tcase_set_timeout(tc, 30);
    tcase_add_loop_test(tc, test_walk, 0, ARRAY_SIZE(shapes));
    tcase_add_loop_test(tc, test_iasl, 0, ARRAY_SIZE(shapes));
    tcase_add_test(tc, test_write);
    suite_add_tcase(s, tc);
    return s;
}
