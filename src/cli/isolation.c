/* SPDX-License-Identifier: Apache-2.0 */
/* isolation.c: what a VM could do to its host, of which it is built but not
 * run: --print-isolation */
#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <sha2.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "mote/vm.h"

#include "parts.h"

static json_t *isolation_namespaces(const struct sandbox_report *jail)
{
    json_t *list = json_array();

    for (unsigned int i = 0; sandbox_namespace(jail, i); i++)
        json_array_append_new(list, json_string(sandbox_namespace(jail, i)));
    return list;
}

static json_t *isolation_caps(void)
{
    static const char *const names[SANDBOX_CAP_SETS] = {
        "effective", "permitted", "inheritable", "bounding", "ambient"};
    json_t *sets = json_object();
    u64 set[SANDBOX_CAP_SETS];

    sandbox_caps(set);
    for (size_t i = 0; i < SANDBOX_CAP_SETS; i++)
        json_object_set_new(sets, names[i], json_sprintf("%" PRIx64, set[i]));
    return sets;
}

/* ---- descriptors ----------------------------------------------------------
 */

static const char *isolation_access(int flags)
{
    if (flags & O_PATH)
        return "path";
    switch (flags & O_ACCMODE) {
    case O_RDONLY:
        return "read";
    case O_WRONLY:
        return "write";
    default:
        return "read-write";
    }
}

/* Names through proc, opened before the jail closed. */
static json_t *isolation_fd(int proc, int fd, int flags)
{
    char link[32], name[256];
    ssize_t n;

    snprintf(link, sizeof(link), "self/fd/%d", fd);
    n = readlinkat(proc, link, name, sizeof(name) - 1);
    if (n < 0)
        n = snprintf(name, sizeof(name), "?");
    name[n] = '\0';
    return json_pack("{s:i, s:s, s:s}", "fd", fd, "access",
                     isolation_access(flags), "file", name);
}

static json_t *isolation_fds(int proc)
{
    json_t *list = json_array();
    struct rlimit max = {0};

    getrlimit(RLIMIT_NOFILE, &max);
    for (int fd = 0; fd < (int)MIN(max.rlim_cur, (rlim_t)65536); fd++) {
        int flags = fd == proc ? -1 : fcntl(fd, F_GETFL);

        if (flags >= 0)
            json_array_append_new(list, isolation_fd(proc, fd, flags));
    }
    return list;
}

/* ---- threads --------------------------------------------------------------
 */

static json_t *isolation_syscalls(enum filter_kind kind)
{
    json_t *list = json_array();

    for (unsigned int i = 0; filter_syscall(kind, i); i++)
        json_array_append_new(list, json_string(filter_syscall(kind, i)));
    return list;
}

static json_t *isolation_threads(const struct vm *vm)
{
    struct vm_thread thread[VM_THREAD_MAX];
    unsigned int nr = vm_threads(vm, thread);
    json_t *list = json_array();

    for (unsigned int i = 0; i < nr; i++)
        json_array_append_new(
            list, json_pack("{s:s, s:s, s:o}", "name", thread[i].name, "filter",
                            filter_kind_name(thread[i].kind), "syscalls",
                            isolation_syscalls(thread[i].kind)));
    return list;
}

/* ---- hashes ---------------------------------------------------------------
 */

static json_t *isolation_hash_text(const char *text)
{
    char hex[SHA256_DIGEST_STRING_LENGTH];

    return json_string(SHA256Data((const u8 *)text, strlen(text), hex));
}

static json_t *isolation_hash_file(int fd)
{
    char hex[SHA256_DIGEST_STRING_LENGTH];
    u8 buf[16384];
    off_t at = 0;
    SHA2_CTX ctx;
    ssize_t n;

    SHA256Init(&ctx);
    while ((n = pread(fd, buf, sizeof(buf), at)) > 0) {
        SHA256Update(&ctx, buf, (size_t)n);
        at += n;
    }
    SHA256End(&ctx, hex);
    return n < 0 ? json_null() : json_string(hex);
}

/* That of the configuration is of what --print-config prints. */
static json_t *isolation_hashes(const struct vm *vm, const struct config *c)
{
    const struct loader_file *initrd = vm_initrd(vm);
    char *config = config_text(c);
    json_t *hashes = json_object();

    json_object_set_new(hashes, "kernel",
                        isolation_hash_file(vm_kernel(vm)->fd));
    if (initrd)
        json_object_set_new(hashes, "initrd", isolation_hash_file(initrd->fd));
    if (config)
        json_object_set_new(hashes, "config", isolation_hash_text(config));
    free(config);
    return hashes;
}

/* ---- printing -------------------------------------------------------------
 */

static json_t *isolation_json(const struct cli *cli, const struct vm *vm,
                              const struct sandbox_report *jail)
{
    return json_pack(
        "{s:s, s:s, s:s, s:s, s:o, s:b, s:i, s:b, s:b, s:b, s:i, s:i, s:o, "
        "s:o, s:o, s:o}",
        "isolation", sandbox_level_name(jail->level), "missing", jail->missing,
        "seccomp", cli->c->sandbox.log_denials ? "log" : "enforce", "engine",
        vm_engine(vm), "namespaces", isolation_namespaces(jail), "empty_root",
        jail->empty_root, "landlock", jail->landlock, "mdwe", jail->mdwe,
        "no_new_privs", prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), "dumpable",
        prctl(PR_GET_DUMPABLE), "uid", (int)geteuid(), "gid", (int)getegid(),
        "capabilities", isolation_caps(), "descriptors",
        isolation_fds(cli->proc), "threads", isolation_threads(vm), "sha256",
        isolation_hashes(vm, cli->c));
}

static void isolation_print_value(const json_t *v)
{
    size_t i;
    json_t *member;

    if (json_is_string(v))
        printf("%s", json_string_value(v));
    else if (json_is_integer(v))
        printf("%" JSON_INTEGER_FORMAT, json_integer_value(v));
    else if (json_is_boolean(v))
        printf("%s", json_is_true(v) ? "yes" : "no");
    json_array_foreach(v, i, member)
    {
        printf("%s", i ? " " : "");
        isolation_print_value(member);
    }
}

/* "  7 read /dev/null" of an object in a list. */
static void isolation_print_row(json_t *row)
{
    const char *key;
    json_t *v;

    printf(" ");
    json_object_foreach(row, key, v)
    {
        printf(" ");
        isolation_print_value(v);
    }
    printf("\n");
}

static void isolation_print_text(json_t *root)
{
    const char *key, *name;
    json_t *v, *member;

    json_object_foreach(root, key, v)
    {
        printf("%s:", key);
        if (json_is_object(json_array_get(v, 0))) {
            printf("\n");
            for (size_t i = 0; i < json_array_size(v); i++)
                isolation_print_row(json_array_get(v, i));
            continue;
        }
        json_object_foreach(v, name, member)
        {
            printf(" %s %s", name, json_string_value(member));
        }
        printf(json_is_object(v) ? "" : " ");
        isolation_print_value(v);
        printf("\n");
    }
}

int cli_print_isolation(const struct cli *cli, const struct vm *vm,
                        const struct sandbox_report *jail)
{
    json_t *root = isolation_json(cli, vm, jail);

    if (!root) {
        fail(-ENOMEM, "--print-isolation");
        return STATUS_FAILURE;
    }
    if (!cli->json)
        isolation_print_text(root);
    else if (json_dumpf(root, stdout, JSON_INDENT(2)) == 0)
        putchar('\n');
    json_decref(root);
    if (ferror(stdout) || fflush(stdout) == EOF) {
        fail(-EIO, "stdout");
        return STATUS_FAILURE;
    }
    return STATUS_OK;
}
