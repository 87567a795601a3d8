/* SPDX-License-Identifier: Apache-2.0 */
/*
 * schema.c: every key, Firecracker's and mote's. A key that mote does not obey
 * yet is a KEY_LATER row, so that it is refused by name instead of ignored.
 */
#include "mote/mem.h"

#include "schema.h"

static const struct config_word engine_list[] = {
    {"auto", ENGINE_AUTO},
    {"kvm", ENGINE_KVM},
    {"interp", ENGINE_INTERP},
    {NULL, 0},
};
const struct config_words config_engines = {.list = engine_list};

static const struct config_word level_list[] = {
    {"Off", LOG_OFF},      {"Error", LOG_ERROR},
    {"Warning", LOG_WARN}, {"Warn", LOG_WARN},
    {"Info", LOG_INFO},    {"Debug", LOG_DEBUG},
    {"Trace", LOG_TRACE},  {NULL, 0},
};
const struct config_words config_levels = {
    .any_case = true,
    .list = level_list,
};

static const struct config_word mode_list[] = {
    {"stdio", CHR_STDIO},        {"file", CHR_FILE}, {"off", CHR_OFF},
    {"unix", CONFIG_WORD_LATER}, {NULL, 0},
};
const struct config_words config_modes = {.list = mode_list};

static const struct config_word huge_list[] = {
    {"None", 0},
    {"Transparent", CONFIG_WORD_LATER},
    {"2M", CONFIG_WORD_LATER},
    {NULL, 0},
};
static const struct config_words huge_pages = {.list = huge_list};

static const struct config_word template_list[] = {
    {"None", 0},
    {"C3", CONFIG_WORD_LATER},
    {"T2", CONFIG_WORD_LATER},
    {"T2S", CONFIG_WORD_LATER},
    {"T2CL", CONFIG_WORD_LATER},
    {"T2A", CONFIG_WORD_LATER},
    {"V1N1", CONFIG_WORD_LATER},
    {NULL, 0},
};
static const struct config_words cpu_templates = {.list = template_list};

static const struct config_word device_list[] = {
    {"serial", 0},
    {"virtio", CONFIG_WORD_LATER},
    {NULL, 0},
};
static const struct config_words console_devices = {.list = device_list};

/* clang-format off */
#define FIELD(member) .field = offsetof(struct config, member)
#define LATER(text)   {.name = text, .kind = KEY_LATER}
#define LATER_FC(text) {.name = text, .kind = KEY_LATER, .defaults = true}

static const struct key boot_source[] = {
    {"kernel_image_path", KEY_STRING, .required = true, .filled = true,
     FIELD(boot.kernel)},
    {"initrd_path", KEY_STRING, .filled = true, FIELD(boot.initrd)},
    {"boot_args", KEY_STRING, FIELD(boot.args)},
    {.name = NULL},
};

static const struct key machine_config[] = {
    {"vcpu_count", KEY_INT, .required = true, FIELD(machine.vcpus),
     .min = 1, .max = 32},
    {"mem_size_mib", KEY_INT, .required = true, FIELD(machine.mem_bytes),
     .min = MEM_SIZE_MIN / MIB, .max = MEM_SIZE_MAX / MIB, .scale = MIB},
    {"smt", KEY_BOOL, FIELD(machine.smt)},
    {"huge_pages", KEY_WORD, .field = KEY_NO_FIELD, .words = &huge_pages},
    {"cpu_template", KEY_WORD, .field = KEY_NO_FIELD, .words = &cpu_templates},
    LATER_FC("track_dirty_pages"),
    LATER_FC("gdb_socket_path"),
    {"engine", KEY_WORD, FIELD(machine.engine), .words = &config_engines},
    {.name = NULL},
};

static const struct key logger[] = {
    {"log_path", KEY_STRING, .filled = true, FIELD(log.path)},
    {"level", KEY_WORD, FIELD(log.level), .words = &config_levels},
    {"show_level", KEY_BOOL, FIELD(log.show_level)},
    {"show_log_origin", KEY_BOOL, FIELD(log.show_origin)},
    LATER_FC("module"),
    {.name = NULL},
};

static const struct key console[] = {
    {"mode", KEY_WORD, FIELD(console.mode), .words = &config_modes},
    {"path", KEY_STRING, .filled = true, FIELD(console.path)},
    {"device", KEY_WORD, .field = KEY_NO_FIELD, .words = &console_devices},
    LATER("input"),
    LATER("rate_limiter"),
    {.name = NULL},
};

const struct key schema[] = {
    {"boot-source", KEY_OBJECT, .keys = boot_source},
    {"machine-config", KEY_OBJECT, .keys = machine_config},
    {"logger", KEY_OBJECT, .keys = logger},
    {"console", KEY_OBJECT, .keys = console},
    LATER_FC("drives"),
    LATER_FC("cpu-config"),
    LATER_FC("network-interfaces"),
    LATER_FC("vsock"),
    LATER_FC("entropy"),
    LATER_FC("metrics"),
    LATER_FC("mmds-config"),
    LATER_FC("balloon"),
    LATER_FC("pmem"),
    LATER_FC("memory-hotplug"),
    LATER("run"),
    LATER("sandbox"),
    LATER("exit-record"),
    {"serial", KEY_OTHER, .hint = "Firecracker has it in its API only; use "
                                  "\"console\""},
    {.name = NULL},
};
/* clang-format on */
