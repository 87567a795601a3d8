/* SPDX-License-Identifier: Apache-2.0 */
/* engine.c: which engine runs this VM, and why, in one line of log */
#include <stdio.h>

#include "mote/config.h"
#include "mote/engine.h"
#include "mote/log.h"
#include "mote/record.h"

struct engine_choice {
    enum engine_kind kind; /* never ENGINE_AUTO */
    const char *why;
};

/* Software KVM interprets the guest kernel in the host kernel, slower than our
 * interpreter does. */
static struct engine_choice engine_auto(const struct kvm_probe *probe)
{
    enum engine_kind kind =
        probe->kind == KVM_NATIVE ? ENGINE_KVM : ENGINE_INTERP;

    return (struct engine_choice){kind, probe->why};
}

static int engine_new_kvm(struct engine **out, const struct engine_env *env,
                          const struct kvm_probe *probe)
{
    if (probe->kind == KVM_NONE)
        return fail_rule(probe->err, "engine kvm: %s, or use --engine auto",
                         probe->why);
    log_info("engine kvm: %s", probe->why);
    record_engine("kvm", probe->why);
    return engine_kvm_new(out, env);
}

static int engine_new_interp(struct engine **out, const struct engine_env *env,
                             const char *why)
{
    log_info("engine interp: %s", why);
    record_engine("interp", why);
    return engine_interp_new(out, env);
}

int engine_new(struct engine **out, enum engine_kind kind,
               const struct engine_env *env)
{
    struct engine_choice choice = {kind, "asked for"};
    struct kvm_probe probe = {.kind = KVM_NONE};

    if (kind != ENGINE_INTERP)
        kvm_probe(env->kvm, &probe);
    if (kind == ENGINE_AUTO)
        choice = engine_auto(&probe);
    if (choice.kind == ENGINE_KVM)
        return engine_new_kvm(out, env, &probe);
    return engine_new_interp(out, env, choice.why);
}
