/* SPDX-License-Identifier: Apache-2.0 */
/*
 * aml.h: a writer of ACPI Machine Language, as much of it as a list of fixed
 * devices needs. ACPI 6.4, chapter 20 (encoding) and 6.4 (resources).
 */
#ifndef MOTE_LOADER_AML_H
#define MOTE_LOADER_AML_H

#include "mote/base.h"

struct aml {
    u8 *buf;
    size_t len, cap; /* len may pass cap: then nothing is written any more */
};

/* Something with a PkgLength: begin returns what end wants. */
size_t aml_begin(struct aml *a);
void aml_end(struct aml *a, size_t begin);

void aml_bytes(struct aml *a, const void *data, size_t len);
void aml_byte(struct aml *a, u8 byte);

/* Scope (path) { ... } and Device (name) { ... }; names of four characters. */
size_t aml_scope(struct aml *a, const char *path);
size_t aml_device(struct aml *a, const char *name);

/* Name (name, value) */
void aml_name_int(struct aml *a, const char *name, u32 value);
void aml_name_string(struct aml *a, const char *name, const char *text);
void aml_name_eisaid(struct aml *a, const char *name, const char *id);
void aml_name_package(struct aml *a, const char *name, const u8 *value, u8 nr);

/* Name (_CRS, ResourceTemplate () { ... }): begin, resources, end. */
struct aml_crs {
    size_t package, start;
};
struct aml_crs aml_crs_begin(struct aml *a);
void aml_crs_end(struct aml *a, const struct aml_crs *crs);
void aml_crs_io(struct aml *a, u16 port, u8 len);
void aml_crs_memory(struct aml *a, u32 base, u32 len);
void aml_crs_interrupt(struct aml *a, u32 gsi);

#endif
