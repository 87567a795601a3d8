/* SPDX-License-Identifier: Apache-2.0 */
/* mptable.c: Intel MultiProcessor Specification 1.4, for want of ACPI */
#include "mote/dev.h"

#include "load.h"

#define MP_FLOATING 16u /* bytes of the pointer structure */
#define MP_HEADER   44u
#define MP_SPEC_1_4 4
#define MP_GSI      24u /* pins of the IOAPIC */

enum mp_entry { MP_PROCESSOR, MP_BUS, MP_IOAPIC, MP_INTERRUPT, MP_LOCAL };

enum mp_interrupt { MP_INT, MP_NMI, MP_SMI, MP_EXTINT };

#define MP_CPU_ENABLED   1u
#define MP_CPU_BSP       2u
#define MP_CPU_SIGNATURE 0x600u
#define MP_CPU_FEATURES  0x201u /* FPU, APIC */
#define MP_APIC_VERSION  0x14
#define MP_IOAPIC_VER    0x11
#define MP_EDGE_HIGH     0x5 /* trigger and polarity, both stated */
#define MP_ALL_APICS     0xff

struct mptable {
    u8 buf[MPTABLE_SIZE];
    size_t len;
    u16 entries;
};

static u8 *mptable_entry(struct mptable *t, enum mp_entry type, size_t size)
{
    u8 *entry = t->buf + t->len;

    assert(t->len + size <= sizeof(t->buf));
    entry[0] = (u8)type;
    t->len += size;
    t->entries++;
    return entry;
}

static void mptable_cpu(struct mptable *t, unsigned int id)
{
    u8 *e = mptable_entry(t, MP_PROCESSOR, 20);

    e[1] = (u8)id;
    e[2] = MP_APIC_VERSION;
    e[3] = MP_CPU_ENABLED | (id == 0 ? MP_CPU_BSP : 0);
    le32_put(e + 4, MP_CPU_SIGNATURE);
    le32_put(e + 8, MP_CPU_FEATURES);
}

static void mptable_ioapic(struct mptable *t, u8 id)
{
    u8 *e = mptable_entry(t, MP_IOAPIC, 8);

    e[1] = id;
    e[2] = MP_IOAPIC_VER;
    e[3] = 1; /* enabled */
    le32_put(e + 4, IOAPIC_GPA);
}

/* Bus 0's interrupt line, or for local entries that of every processor. */
static void mptable_interrupt(struct mptable *t, enum mp_entry type,
                              enum mp_interrupt kind, u8 irq, u8 apic, u8 pin)
{
    u8 *e = mptable_entry(t, type, 8);

    e[1] = (u8)kind;
    le16_put(e + 2, type == MP_INTERRUPT ? MP_EDGE_HIGH : 0);
    e[5] = irq;
    e[6] = apic;
    e[7] = pin;
}

static void mptable_finish(struct mptable *t)
{
    u8 *fp = t->buf, *h = t->buf + MP_FLOATING;

    memcpy(h, "PCMP", 4);
    le16_put(h + 4, (u16)(t->len - MP_FLOATING));
    h[6] = MP_SPEC_1_4;
    memcpy(h + 8, "MOTE    microVM     ", 20); /* OEM and product */
    le16_put(h + 34, t->entries);
    le32_put(h + 36, LAPIC_GPA);
    h[7] = (u8)-loader_sum(h, t->len - MP_FLOATING);

    memcpy(fp, "_MP_", 4);
    le32_put(fp + 4, MPTABLE_GPA + MP_FLOATING);
    fp[8] = 1; /* length in paragraphs */
    fp[9] = MP_SPEC_1_4;
    fp[10] = (u8)-loader_sum(fp, MP_FLOATING);
}

int mptable_write(struct mem *m, unsigned int cpus)
{
    struct mptable t = {.len = MP_FLOATING + MP_HEADER};
    u8 ioapic = (u8)cpus; /* the first id no processor has */

    for (unsigned int i = 0; i < cpus; i++)
        mptable_cpu(&t, i);
    memcpy(mptable_entry(&t, MP_BUS, 8) + 2, "ISA   ", 6);
    mptable_ioapic(&t, ioapic);
    for (u8 gsi = 0; gsi < MP_GSI; gsi++)
        mptable_interrupt(&t, MP_INTERRUPT, MP_INT, gsi, ioapic, gsi);
    mptable_interrupt(&t, MP_LOCAL, MP_EXTINT, 0, 0, 0);
    mptable_interrupt(&t, MP_LOCAL, MP_NMI, 0, MP_ALL_APICS, 1);
    mptable_finish(&t);
    return mem_write(m, MPTABLE_GPA, t.buf, sizeof(t.buf));
}
