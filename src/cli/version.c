/* SPDX-License-Identifier: Apache-2.0 */
/* version.c: what this mote is, and what this host lets it do */
#include <jansson.h>
#include <stdio.h>

#include "mote/engine.h"

#include "parts.h"

static const char *version_kvm(const struct kvm_probe *kvm)
{
    switch (kvm->kind) {
    case KVM_NATIVE:
        return "native";
    case KVM_SOFTWARE:
        return "software";
    default:
        return "none";
    }
}

static int version_json(const struct kvm_probe *kvm)
{
    json_t *root =
        json_pack("{s:s, s:n, s:{s:{s:s, s:s}, s:{s:i}}, s:{s:s}}", "version",
                  MOTE_VERSION, "firecracker_api", "engines", "kvm", "kind",
                  version_kvm(kvm), "why", kvm->why, "interp", "max_vcpus", 1,
                  "libraries", "jansson", jansson_version_str());
    int r = root ? json_dumpf(root, stdout, JSON_COMPACT) : -1;

    json_decref(root);
    return r < 0 || putchar('\n') == EOF ? -1 : 0;
}

int cli_print_version(bool json)
{
    struct kvm_probe kvm;
    struct kvm_file file;
    int r;

    kvm_open(&file);
    kvm_probe(&file, &kvm);
    kvm_close(&file);
    if (json)
        r = version_json(&kvm);
    else
        r = printf("mote %s\n"
                   "engine kvm: %s (%s)\n"
                   "engine interp: 1 vCPU\n"
                   "Firecracker API: not yet\n"
                   "libraries: jansson %s\n",
                   MOTE_VERSION, version_kvm(&kvm), kvm.why,
                   jansson_version_str());
    if (r < 0 || fflush(stdout) == EOF) {
        fail(-EIO, "stdout");
        return STATUS_FAILURE;
    }
    return STATUS_OK;
}
