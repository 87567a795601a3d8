/* SPDX-License-Identifier: Apache-2.0 */
/* modules.c: a kernel's modules: where they are, and what they need */
#include <elf.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "mote/loader.h"
#include "mote/log.h"

#include "kernel.h"

#define MODULES_FILE_MAX (64 * MIB) /* unpacked */
#define MODULES_MAX      128        /* of one call, with what they need */
#define MODULES_PATH_MAX 4096
#define MODULES_NAME_MAX 64
#define MODULES_NEED_MAX 64 /* of one module */

/* ---- lists ---------------------------------------------------------------
 */

/* Is it "virtio-rng.ko", or with .xz or so behind it? */
static bool list_is_file_of(const char *file, size_t len, const char *module)
{
    size_t n = strlen(module);

    if (len < n + 3 || strncmp(file + n, ".ko", 3) != 0)
        return false;
    if (len > n + 3 && file[n + 3] != '.')
        return false;
    for (size_t i = 0; i < n; i++)
        if (file[i] != module[i] &&
            (!strchr("-_", file[i]) || !strchr("-_", module[i])))
            return false;
    return true;
}

const char *kernel_list_find(const char *list, const char *module, size_t *len)
{
    const char *p = list, *slash;

    for (; *p; p += strcspn(p, "\n"), p += *p == '\n') {
        *len = strcspn(p, ":\n");
        slash = memrchr(p, '/', *len);
        slash = slash ? slash + 1 : p;
        if (list_is_file_of(slash, (size_t)(p + *len - slash), module))
            return p;
    }
    return NULL;
}

/* ---- one module's file ---------------------------------------------------
 */

/* Modules may have been compressed after the list was made. */
static char *modules_present(const char *dir, const char *path, size_t len)
{
    static const char *const packed[] = {"", ".xz", ".zst", ".gz"};
    char file[MODULES_PATH_MAX];

    for (size_t i = 0; i < ARRAY_SIZE(packed); i++) {
        snprintf(file, sizeof(file), "%s/%.*s%s", dir, (int)len, path,
                 packed[i]);
        if (access(file, F_OK) == 0)
            return strdup(file);
    }
    return NULL;
}

char *kernel_module_file(const struct kernel_info *k, const char *module)
{
    size_t len;
    const char *path =
        k->index ? kernel_list_find(k->index, module, &len) : NULL;

    return path ? modules_present(k->modules, path, len) : NULL;
}

int kernel_module_read(const char *file, u8 **data, u64 *len)
{
    struct loader_file f;
    int r = loader_file_open(&f, "module", file);

    if (r < 0)
        return r;
    r = loader_unpack(&f, MODULES_FILE_MAX, data, len);
    loader_file_close(&f);
    return r;
}

/* ---- what it says of itself ----------------------------------------------
 */

struct module {
    const u8 *data;
    u64 len;
};

/* A table of the file: a copy of entry i, all within the file. */
static bool module_entry(const struct module *m, u64 offset, u64 size, u64 i,
                         void *out)
{
    u64 at;

    if (__builtin_mul_overflow(i, size, &at) ||
        __builtin_add_overflow(at, offset, &at) || at > m->len ||
        size > m->len - at)
        return false;
    memcpy(out, m->data + at, size);
    return true;
}

/* Is name at this place of the table of sections' names? */
static bool module_is_named(const struct module *m, const Elf64_Shdr *names,
                            u32 offset, const char *name)
{
    size_t n = strlen(name) + 1;
    u64 at;

    return !__builtin_add_overflow(names->sh_offset, offset, &at) &&
           at <= m->len && n <= m->len - at &&
           memcmp(m->data + at, name, n) == 0;
}

/* The section of this name; NULL: none that is within the file. */
static const char *module_section(const struct module *m, const char *name,
                                  u64 *len)
{
    Elf64_Ehdr eh;
    Elf64_Shdr names, sh;

    if (!module_entry(m, 0, sizeof(eh), 0, &eh) ||
        memcmp(eh.e_ident, ELFMAG, SELFMAG) != 0 ||
        eh.e_ident[EI_CLASS] != ELFCLASS64 ||
        !module_entry(m, eh.e_shoff, sizeof(sh), eh.e_shstrndx, &names))
        return NULL;
    for (u64 i = 0; i < eh.e_shnum; i++) {
        if (!module_entry(m, eh.e_shoff, sizeof(sh), i, &sh))
            return NULL;
        if (sh.sh_type == SHT_PROGBITS && sh.sh_offset <= m->len &&
            sh.sh_size <= m->len - sh.sh_offset &&
            module_is_named(m, &names, sh.sh_name, name)) {
            *len = sh.sh_size;
            return (const char *)m->data + sh.sh_offset;
        }
    }
    return NULL;
}

/* ---- what it needs -------------------------------------------------------
 */

struct needs {
    unsigned int nr;
    struct need {
        char name[MODULES_NAME_MAX];
        bool optional;
    } need[MODULES_NEED_MAX];
};

static void needs_add(struct needs *n, const char *name, size_t len,
                      bool optional)
{
    struct need *need = &n->need[n->nr];

    if (len == 0 || len >= sizeof(need->name) || n->nr == MODULES_NEED_MAX)
        return;
    memcpy(need->name, name, len);
    need->name[len] = '\0';
    need->optional = optional;
    n->nr++;
}

/* "virtio,virtio_ring" */
static void needs_depends(struct needs *n, const char *p, size_t len)
{
    size_t word;

    for (const char *end = p + len; p < end; p += word + 1) {
        const char *comma = memchr(p, ',', (size_t)(end - p));

        word = (size_t)((comma ? comma : end) - p);
        needs_add(n, p, word, false);
    }
}

/* "pre: crc32c post: y": what comes first, where it is to be had. */
static void needs_softdep(struct needs *n, const char *p, size_t len)
{
    bool pre = false;
    size_t word;

    for (const char *end = p + len; p < end; p += word + 1) {
        const char *space = memchr(p, ' ', (size_t)(end - p));

        word = (size_t)((space ? space : end) - p);
        if (word > 0 && p[word - 1] == ':')
            pre = word == 4 && memcmp(p, "pre:", 4) == 0;
        else if (pre)
            needs_add(n, p, word, true);
    }
}

/* .modinfo: "key=value", each with a NUL behind it. */
static void needs_parse(struct needs *n, const char *p, u64 len)
{
    size_t text;

    for (const char *end = p + len; p < end; p += text + 1) {
        text = strnlen(p, (size_t)(end - p));
        if (text > 8 && memcmp(p, "depends=", 8) == 0)
            needs_depends(n, p + 8, text - 8);
        else if (text > 8 && memcmp(p, "softdep=", 8) == 0)
            needs_softdep(n, p + 8, text - 8);
    }
}

static int needs_read(struct needs *n, const char *file)
{
    struct module m = {0};
    const char *info;
    u64 len;
    u8 *data;
    int r = kernel_module_read(file, &data, &m.len);

    if (r < 0)
        return r;
    m.data = data;
    info = module_section(&m, ".modinfo", &len);
    if (info)
        needs_parse(n, info, len);
    else
        r = fail_rule(-ENOEXEC, "module %s: is not a kernel module", file);
    free(data);
    return r;
}

/* ---- the order of loading ------------------------------------------------
 */

struct loading {
    const struct kernel_info *k;
    unsigned int nr;
    struct loaded {
        char *file;
        unsigned int nr; /* of need: indices of those to be loaded before */
        u8 need[MODULES_NEED_MAX];
        bool placed;
    } module[MODULES_MAX];
};

/* Its index, *i; 1: built in; -ENOENT, not reported: there is none. */
static int loading_add(struct loading *l, const char *name, unsigned int *i)
{
    char *file;
    size_t len;

    if (l->k->builtin && kernel_list_find(l->k->builtin, name, &len))
        return 1;
    file = kernel_module_file(l->k, name);
    if (!file)
        return -ENOENT;
    for (*i = 0; *i < l->nr; ++*i) {
        if (strcmp(l->module[*i].file, file) == 0) {
            free(file);
            return 0;
        }
    }
    if (l->nr == MODULES_MAX) {
        free(file);
        return fail_rule(-E2BIG, "kernel %s: more than %u modules", l->k->path,
                         MODULES_MAX);
    }
    l->module[l->nr++].file = file;
    return 0;
}

/* The portable form of an algorithm has a suffix, where its plain name is but
 * an alias of it and of others. */
static int loading_add_optional(struct loading *l, const char *name,
                                unsigned int *i)
{
    char generic[MODULES_NAME_MAX + 8];
    int r = loading_add(l, name, i);

    if (r != -ENOENT)
        return r;
    snprintf(generic, sizeof(generic), "%s_generic", name);
    r = loading_add(l, generic, i);
    return r == -ENOENT ? 1 : r;
}

static int loading_need(struct loading *l, struct loaded *m,
                        const struct need *need)
{
    unsigned int i;
    int r = need->optional ? loading_add_optional(l, need->name, &i)
                           : loading_add(l, need->name, &i);

    if (r == 0)
        m->need[m->nr++] = (u8)i;
    if (r == -ENOENT)
        return fail_rule(r,
                         "kernel %s: module %s needs %s, which is neither "
                         "built in nor in %s",
                         l->k->path, m->file, need->name, l->k->modules);
    return r < 0 ? r : 0;
}

static int loading_needs(struct loading *l, struct loaded *m)
{
    struct needs *needs = calloc(1, sizeof(*needs));
    int r;

    if (!needs)
        return fail(-ENOMEM, "module %s", m->file);
    r = needs_read(needs, m->file);
    for (unsigned int i = 0; r == 0 && i < needs->nr; i++)
        r = loading_need(l, m, &needs->need[i]);
    free(needs);
    return r;
}

static bool loading_is_ready(const struct loading *l, const struct loaded *m)
{
    for (unsigned int i = 0; i < m->nr; i++)
        if (!l->module[m->need[i]].placed)
            return false;
    return true;
}

/* The next one whose needs are met; in a circle, which a sound kernel has not,
 * the first. */
static struct loaded *loading_next(struct loading *l)
{
    struct loaded *first = NULL;

    for (unsigned int i = 0; i < l->nr; i++) {
        struct loaded *m = &l->module[i];

        if (m->placed)
            continue;
        if (loading_is_ready(l, m))
            return m;
        first = first ? first : m;
    }
    return first;
}

static char **loading_list(struct loading *l)
{
    char **files = calloc(l->nr + 1, sizeof(*files));

    for (unsigned int i = 0; files && i < l->nr; i++) {
        struct loaded *m = loading_next(l);

        m->placed = true;
        files[i] = m->file;
        m->file = NULL;
    }
    return files;
}

/* ---- those asked for ----------------------------------------------------- */

static int modules_lost(const struct kernel_info *k, const char *name)
{
    if (k->modules)
        return fail_rule(-ENOENT,
                         "kernel %s: its module %s is not in %s; install its "
                         "package of modules, or give another kernel",
                         k->path, name, k->modules);
    return fail_rule(-ENOENT,
                     "kernel %s: %s is a module of it, and there is neither "
                     "../lib/modules/%s beside it nor /lib/modules/%s; unpack "
                     "its whole package, or give another kernel",
                     k->path, name, k->release, k->release);
}

static int modules_want(struct loading *l, const char *name)
{
    unsigned int i;

    switch (kernel_part(l->k, name)) {
    case PART_MODULE:
        return loading_add(l, name, &i);
    case PART_LOST:
        return modules_lost(l->k, name);
    case PART_ABSENT:
        return fail_rule(-ENOENT,
                         "kernel %s: was built without %s, which is needed "
                         "here; give another kernel",
                         l->k->path, name);
    case PART_UNKNOWN:
    case PART_BUILTIN:
        break;
    }
    return 0;
}

static int modules_collect(struct loading *l, const char *const *names)
{
    int r = 0;

    for (size_t i = 0; r == 0 && names[i]; i++)
        r = modules_want(l, names[i]);
    for (unsigned int i = 0; r == 0 && i < l->nr; i++)
        r = loading_needs(l, &l->module[i]);
    return r;
}

int kernel_modules(const struct kernel_info *k, const char *const *names,
                   char ***files)
{
    struct loading *l = calloc(1, sizeof(*l));
    int r;

    *files = NULL;
    if (!l)
        return fail(-ENOMEM, "kernel %s: modules", k->path);
    l->k = k;
    r = modules_collect(l, names);
    if (r == 0) {
        *files = loading_list(l);
        r = *files ? 0 : fail(-ENOMEM, "kernel %s: modules", k->path);
    }
    for (unsigned int i = 0; i < l->nr; i++)
        free(l->module[i].file);
    free(l);
    return r;
}

void kernel_modules_free(char **files)
{
    for (size_t i = 0; files && files[i]; i++)
        free(files[i]);
    free(files);
}
