/* SPDX-License-Identifier: Apache-2.0 */
/* engine.c: which engine runs this VM, and why, in one line of log */
#include <stdio.h>

#include "mote/config.h"
#include "mote/engine.h"
#include "mote/log.h"
#include "mote/record.h"

/* Software KVM interprets the guest kernel in the host kernel, slower than our
 * interpreter does. */
static enum engine_kind engine_auto(const struct kvm_probe *probe)
{
    return probe->kind == KVM_NATIVE ? ENGINE_KVM : ENGINE_INTERP;
}

int engine_choose(struct engine_choice *out, enum engine_kind kind,
                  const struct kvm_probe *probe)
{
    const char *why = probe->why[0] ? probe->why : "asked for";
    bool none;

    out->kind = kind == ENGINE_AUTO ? engine_auto(probe) : kind;
    none = out->kind == ENGINE_KVM && probe->kind == KVM_NONE;
    snprintf(out->why, sizeof(out->why), "%s%s", why,
             none ? ", or use --engine auto" : "");
    return none ? probe->err : 0;
}

int engine_new(struct engine **out, enum engine_kind kind,
               const struct engine_env *env)
{
    struct kvm_probe probe = {.kind = KVM_NONE};
    struct engine_choice choice;
    const char *name;
    bool kvm;
    int r;

    if (kind != ENGINE_INTERP)
        kvm_probe(env->kvm, &probe);
    r = engine_choose(&choice, kind, &probe);
    kvm = choice.kind == ENGINE_KVM;
    name = kvm ? "kvm" : "interp";
    if (r < 0)
        return fail_rule(r, "engine %s: %s", name, choice.why);
    log_info("engine %s: %s", name, choice.why);
    record_engine(name, choice.why);
    return kvm ? engine_kvm_new(out, env) : engine_interp_new(out, env);
}
