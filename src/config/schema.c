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
    {"stdio", CHR_STDIO}, {"file", CHR_FILE}, {"unix", CHR_UNIX},
    {"off", CHR_OFF},     {NULL, 0},
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
    {"serial", CONSOLE_SERIAL},
    {"virtio", CONSOLE_VIRTIO},
    {NULL, 0},
};
const struct config_words config_console_devices = {.list = device_list};

static const struct config_word cache_list[] = {
    {"Writeback", CACHE_WRITEBACK},
    {"Unsafe", CACHE_UNSAFE},
    {NULL, 0},
};
const struct config_words config_caches = {.any_case = true,
                                           .list = cache_list};

static const struct config_word io_engine_list[] = {
    {"Sync", DISK_SYNC},
    {"Async", DISK_ASYNC},
    {NULL, 0},
};
const struct config_words config_io_engines = {.any_case = true,
                                               .list = io_engine_list};

static const struct config_word on_error_list[] = {
    {"report", ERROR_REPORT},
    {"stop", ERROR_STOP},
    {"pause", ERROR_PAUSE},
    {NULL, 0},
};
const struct config_words config_on_errors = {.list = on_error_list};

static const struct config_word on_exit_list[] = {
    {"keep", OVERLAY_KEEP},
    {"discard", OVERLAY_DISCARD},
    {NULL, 0},
};
static const struct config_words on_exits = {.list = on_exit_list};

static const struct config_word clone_exit_list[] = {
    {"remove", CLONE_REMOVE},
    {"keep", CLONE_KEEP},
    {NULL, 0},
};
static const struct config_words clone_exits = {.list = clone_exit_list};

static const struct config_word rbd_lock_list[] = {
    {"exclusive", RBD_LOCK_EXCLUSIVE},
    {"none", RBD_LOCK_NONE},
    {"break", RBD_LOCK_BREAK},
    {NULL, 0},
};
const struct config_words config_rbd_locks = {.list = rbd_lock_list};

static const struct config_word rbd_cache_list[] = {
    {"none", RBD_CACHE_NONE},
    {"writethrough", RBD_CACHE_WRITETHROUGH},
    {"writeback", RBD_CACHE_WRITEBACK},
    {NULL, 0},
};
const struct config_words config_rbd_caches = {.list = rbd_cache_list};

static const struct config_word backend_list[] = {
    {"tap", NET_TAP},
    {"fd", NET_FD},
    {"user", NET_USER},
    {NULL, 0},
};
static const struct config_words net_backends = {.list = backend_list};

static const struct config_word mmds_version_list[] = {
    {"V1", MMDS_V1},
    {"V2", MMDS_V2},
    {NULL, 0},
};
static const struct config_words mmds_versions = {.list = mmds_version_list};

static const struct config_word require_list[] = {
    {"best", SANDBOX_BEST},
    {"full", SANDBOX_FULL},
    {"off", SANDBOX_OFF},
    {NULL, 0},
};
const struct config_words config_requires = {.list = require_list};

/* clang-format off */
#define FIELD(member) .field = offsetof(struct config, member)
#define IN(type, member) .field = offsetof(struct type, member)
#define LIMIT(text, type, member)                                             \
    {text, KEY_OBJECT, IN(type, member), .keys = rate_limiter,                \
     .size = sizeof(struct limit_config)}
#define LATER(text)   {.name = text, .kind = KEY_LATER}
#define LATER_FC(text) {.name = text, .kind = KEY_LATER, .defaults = true}
#define LATER_WHY(text, why)                                                  \
    {.name = text, .kind = KEY_LATER, .defaults = true, .hint = why}

static const struct key boot_source[] = {
    /* Required, but not with a command: check_boot(). */
    {"kernel_image_path", KEY_STRING, .filled = true, FIELD(boot.kernel)},
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
    LATER_WHY("track_dirty_pages",
              "not supported yet; there are no snapshots"),
    LATER_WHY("gdb_socket_path",
              "not supported; use the guest's own kgdb"),
    {"engine", KEY_WORD, FIELD(machine.engine), .words = &config_engines},
    {"interp_stats", KEY_BOOL, FIELD(machine.interp_stats)},
    {"poll_us", KEY_INT, FIELD(machine.poll_ns), .max = 1000, .scale = 1000},
    {.name = NULL},
};

static const struct key logger[] = {
    {"log_path", KEY_STRING, .filled = true, FIELD(log.path)},
    {"level", KEY_WORD, FIELD(log.level), .words = &config_levels},
    {"show_level", KEY_BOOL, FIELD(log.show_level)},
    {"show_log_origin", KEY_BOOL, FIELD(log.show_origin)},
    {"module", KEY_STRING, FIELD(log.module)},
    {.name = NULL},
};

static const struct key bucket[] = {
    {"size", KEY_INT, .required = true, IN(limit_bucket_config, size),
     .max = INT64_MAX, .scale = 1},
    {"refill_time", KEY_INT, .required = true,
     IN(limit_bucket_config, refill_ms), .max = INT64_MAX, .scale = 1},
    {"one_time_burst", KEY_INT, IN(limit_bucket_config, burst),
     .max = INT64_MAX, .scale = 1},
    {.name = NULL},
};

static const struct key metrics[] = {
    {"metrics_path", KEY_STRING, .required = true, .filled = true,
     IN(metrics_config, path)},
    {"properties", KEY_PAIRS, IN(metrics_config, property),
     .max = CONFIG_PROPERTY_MAX,
     .nr = offsetof(struct metrics_config, nr_properties)},
    {.name = NULL},
};

static const struct key console[] = {
    {"mode", KEY_WORD, FIELD(console.mode), .words = &config_modes},
    {"path", KEY_STRING, .filled = true, FIELD(console.path)},
    {"device", KEY_WORD, FIELD(console.device),
     .words = &config_console_devices},
    {"input", KEY_BOOL, FIELD(console.input)},
    {"rate_limiter", KEY_OBJECT, FIELD(console.limit), .keys = bucket,
     .size = sizeof(struct limit_bucket_config)},
    {.name = NULL},
};

static const struct key rate_limiter[] = {
    {"bandwidth", KEY_OBJECT, IN(limit_config, bytes), .keys = bucket,
     .size = sizeof(struct limit_bucket_config)},
    {"ops", KEY_OBJECT, IN(limit_config, ops), .keys = bucket,
     .size = sizeof(struct limit_bucket_config)},
    {.name = NULL},
};

static const struct key overlay[] = {
    {"path", KEY_STRING, .filled = true, IN(overlay_config, path)},
    {"quota_mib", KEY_INT, IN(overlay_config, quota), .max = 1ull << 34,
     .scale = MIB},
    {"on_exit", KEY_WORD, IN(overlay_config, exit), .words = &on_exits},
    {.name = NULL},
};

static const struct key rbd_clone[] = {
    {"name", KEY_STRING, IN(rbd_clone_config, name),
     .form = config_form_image},
    {"on_exit", KEY_WORD, IN(rbd_clone_config, exit), .words = &clone_exits},
    {.name = NULL},
};

static const struct key rbd[] = {
    {"pool", KEY_STRING, .required = true, IN(rbd_config, pool),
     .form = config_form_image},
    {"namespace", KEY_STRING, IN(rbd_config, ns), .form = config_form_image},
    {"image", KEY_STRING, .required = true, IN(rbd_config, image),
     .form = config_form_image},
    {"snapshot", KEY_STRING, IN(rbd_config, snapshot),
     .form = config_form_image},
    {"clone", KEY_OBJECT, IN(rbd_config, clone), .keys = rbd_clone,
     .size = sizeof(struct rbd_clone_config),
     .given = offsetof(struct rbd_clone_config, given)},
    {"mon_host", KEY_STRINGS, IN(rbd_config, mon_host), .max = CONFIG_MON_MAX,
     .form = config_form_mon},
    {"conf", KEY_STRING, .filled = true, IN(rbd_config, conf)},
    {"user", KEY_STRING, IN(rbd_config, user), .form = config_form_image},
    {"key_file", KEY_STRING, .filled = true, IN(rbd_config, key_file)},
    {"key_fd", KEY_INT, IN(rbd_config, key_fd), .min = 3, .max = 1048576},
    {"fsid", KEY_STRING, IN(rbd_config, fsid), .form = config_form_uuid},
    {"lock", KEY_WORD, IN(rbd_config, lock), .words = &config_rbd_locks},
    {"cache", KEY_WORD, IN(rbd_config, cache), .words = &config_rbd_caches},
    {"connect_timeout_s", KEY_INT, IN(rbd_config, connect_timeout_s),
     .min = 1, .max = 3600},
    {"timeout_s", KEY_INT, IN(rbd_config, timeout_s), .max = 86400},
    {"options", KEY_PAIRS, IN(rbd_config, option), .max = CONFIG_OPTION_MAX,
     .nr = offsetof(struct rbd_config, nr_options)},
    {"encrypt", KEY_LATER, .defaults = true},
    {.name = NULL},
};

static const struct key drive[] = {
    {"drive_id", KEY_STRING, .required = true, IN(drive_config, id),
     .form = config_form_id},
    {"path_on_host", KEY_STRING, .filled = true, IN(drive_config, path)},
    {"is_root_device", KEY_BOOL, .required = true, IN(drive_config, root)},
    {"is_read_only", KEY_BOOL, IN(drive_config, read_only)},
    {"partuuid", KEY_STRING, IN(drive_config, partuuid),
     .form = config_form_partuuid},
    {"cache_type", KEY_WORD, IN(drive_config, cache), .words = &config_caches},
    {"io_engine", KEY_WORD, IN(drive_config, engine),
     .words = &config_io_engines},
    LIMIT("rate_limiter", drive_config, limit),
    {"socket", KEY_LATER, .defaults = true,
     .hint = "vhost-user-blk is not supported yet; use path_on_host or rbd"},
    {"rbd", KEY_OBJECT, IN(drive_config, rbd), .keys = rbd,
     .size = sizeof(struct rbd_config),
     .given = offsetof(struct rbd_config, given)},
    {"on_error", KEY_WORD, IN(drive_config, on_error), .words = &config_on_errors},
    {"overlay", KEY_OBJECT, IN(drive_config, overlay), .keys = overlay,
     .size = sizeof(struct overlay_config),
     .given = offsetof(struct overlay_config, given), .word = "ephemeral"},
    {"direct", KEY_BOOL, IN(drive_config, direct)},
    {.name = NULL},
};

static const struct key user[] = {
    {"program", KEY_STRING, .filled = true, IN(user_config, program)},
    {"forward", KEY_STRINGS, IN(user_config, forward),
     .max = CONFIG_FORWARD_MAX, .form = config_form_forward},
    {"address", KEY_STRING, IN(user_config, address),
     .form = config_form_address},
    {"gateway", KEY_STRING, IN(user_config, gateway),
     .form = config_form_address},
    {"dns", KEY_STRING, IN(user_config, dns), .form = config_form_address},
    LATER("allow"),
    {.name = NULL},
};

static const struct key network_interface[] = {
    {"iface_id", KEY_STRING, .required = true, IN(net_config, id),
     .form = config_form_id},
    {"host_dev_name", KEY_STRING, .filled = true, IN(net_config, tap)},
    {"guest_mac", KEY_STRING, IN(net_config, mac), .form = config_form_mac},
    {"mtu", KEY_INT, IN(net_config, mtu), .min = 68, .max = 65535},
    LIMIT("rx_rate_limiter", net_config, rx),
    LIMIT("tx_rate_limiter", net_config, tx),
    {"backend", KEY_WORD, IN(net_config, backend), .words = &net_backends},
    {"fd", KEY_INT, IN(net_config, fd), .min = 3, .max = 1048576},
    {"user", KEY_OBJECT, IN(net_config, user), .keys = user,
     .size = sizeof(struct user_config),
     .given = offsetof(struct user_config, given)},
    {"queue_pairs", KEY_INT, IN(net_config, pairs), .min = 1,
     .max = NIC_PAIR_MAX},
    {.name = NULL},
};

static const struct key mmds[] = {
    {"network_interfaces", KEY_STRINGS, IN(mmds_config, net), .min = 1,
     .max = CONFIG_DEVICE_MAX, .form = config_form_id},
    {"version", KEY_WORD, IN(mmds_config, version), .words = &mmds_versions},
    {"ipv4_address", KEY_STRING, IN(mmds_config, address),
     .form = config_form_link_local},
    {"imds_compat", KEY_BOOL, IN(mmds_config, text_only)},
    {"metadata_path", KEY_STRING, .filled = true, IN(mmds_config, path)},
    {"size_limit", KEY_INT, IN(mmds_config, size), .min = 1,
     .max = MMDS_SIZE_MAX},
    {.name = NULL},
};

static const struct key entropy[] = {
    LIMIT("rate_limiter", entropy_config, limit),
    {.name = NULL},
};

static const struct key port[] = {
    {"name", KEY_STRING, .required = true, IN(port_config, name),
     .form = config_form_port},
    {"mode", KEY_WORD, .required = true, IN(port_config, mode),
     .words = &config_modes},
    {"path", KEY_STRING, .filled = true, IN(port_config, path)},
    {.name = NULL},
};

static const struct key limits[] = {
    {"memory_mib", KEY_INT, IN(sandbox_limits, memory_max), .min = 1,
     .max = 1ull << 34, .scale = MIB},
    {"pids", KEY_INT, IN(sandbox_limits, pids_max), .min = 1, .max = 1 << 22},
    {"cpu_percent", KEY_INT, IN(sandbox_limits, cpu_percent), .min = 1,
     .max = 100000},
    {.name = NULL},
};

static const struct key rlimits[] = {
    {"nofile", KEY_INT, IN(sandbox_rlimits, nofile), .min = 64,
     .max = 1 << 20, .scale = 1},
    {"fsize", KEY_INT, IN(sandbox_rlimits, fsize), .min = 1, .max = INT64_MAX,
     .scale = 1},
    {.name = NULL},
};

#define DEADLINE(text, member)                                                \
    {text, KEY_INT, IN(deadline_config, member), .max = CONFIG_TIME_MAX_MS}

static const struct key deadlines[] = {
    DEADLINE("boot_ms", boot_ms),
    DEADLINE("wall_ms", wall_ms),
    DEADLINE("cpu_ms", cpu_ms),
    DEADLINE("idle_ms", idle_ms),
    DEADLINE("stop_ms", stop_ms),
    {.name = NULL},
};

static const struct key run[] = {
    {"cmd", KEY_LIST, IN(run_config, cmd), .max = CONFIG_ARG_MAX},
    {"rootfs", KEY_STRING, .filled = true, IN(run_config, rootfs)},
    {"env", KEY_PAIRS, IN(run_config, env), .max = CONFIG_ENV_MAX,
     .nr = offsetof(struct run_config, nr_env), .name_form = config_form_env},
    {"workdir", KEY_STRING, IN(run_config, workdir),
     .form = config_form_absolute},
    {"user", KEY_STRING, IN(run_config, user), .form = config_form_user},
    {"hostname", KEY_STRING, IN(run_config, hostname),
     .form = config_form_hostname},
    {"stdin", KEY_BOOL, IN(run_config, input)},
    {"tty", KEY_BOOL, IN(run_config, tty)},
    {"deadlines", KEY_OBJECT, IN(run_config, deadlines), .keys = deadlines,
     .size = sizeof(struct deadline_config)},
    {.name = NULL},
};

static const struct key exit_record[] = {
    {"path", KEY_STRING, .required = true, .filled = true,
     IN(record_config, path)},
    {.name = NULL},
};

#define ID_MAX 4294967294u /* -1 means "as it is" to the kernel */

static const struct key sandbox[] = {
    {"require", KEY_WORD, IN(sandbox_config, require),
     .words = &config_requires},
    {"netns", KEY_STRING, IN(sandbox_config, netns),
     .form = config_form_netns},
    {"uid", KEY_INT, IN(sandbox_config, uid), .min = 1, .max = ID_MAX},
    {"gid", KEY_INT, IN(sandbox_config, gid), .min = 1, .max = ID_MAX},
    {"cgroup", KEY_STRING, .filled = true, IN(sandbox_config, cgroup)},
    {"limits", KEY_OBJECT, IN(sandbox_config, limits), .keys = limits,
     .size = sizeof(struct sandbox_limits)},
    {"rlimits", KEY_OBJECT, IN(sandbox_config, rlimits), .keys = rlimits,
     .size = sizeof(struct sandbox_rlimits)},
    {.name = NULL},
};

const struct key schema[] = {
    {"boot-source", KEY_OBJECT, .keys = boot_source},
    {"machine-config", KEY_OBJECT, .keys = machine_config},
    {"logger", KEY_OBJECT, .keys = logger},
    {"console", KEY_OBJECT, .keys = console},
    {"drives", KEY_ARRAY, FIELD(drive), .keys = drive,
     .size = sizeof(struct drive_config), .max = CONFIG_DEVICE_MAX,
     .nr = offsetof(struct config, nr_drives)},
    LATER_WHY("cpu-config",
              "CPU templates are not supported; the guest sees what its engine has"),
    {"network-interfaces", KEY_ARRAY, FIELD(net), .keys = network_interface,
     .size = sizeof(struct net_config), .max = CONFIG_DEVICE_MAX,
     .nr = offsetof(struct config, nr_nets)},
    LATER_WHY("vsock",
              "not supported yet; ports connect guest and host by Unix sockets"),
    {"entropy", KEY_OBJECT, FIELD(entropy), .keys = entropy,
     .size = sizeof(struct entropy_config),
     .given = offsetof(struct entropy_config, given)},
    {"ports", KEY_ARRAY, FIELD(port), .keys = port,
     .size = sizeof(struct port_config), .max = CONFIG_PORT_MAX,
     .nr = offsetof(struct config, nr_ports)},
    {"metrics", KEY_OBJECT, FIELD(metrics), .keys = metrics,
     .size = sizeof(struct metrics_config)},
    {"mmds-config", KEY_OBJECT, FIELD(mmds), .keys = mmds,
     .size = sizeof(struct mmds_config),
     .given = offsetof(struct mmds_config, given)},
    LATER_WHY("balloon",
              "not supported yet; sandbox.limits.memory_mib bounds what the host gives"),
    LATER_WHY("pmem",
              "virtio-pmem is not supported yet; use drives"),
    LATER_WHY("memory-hotplug",
              "virtio-mem is not supported yet; mem_size_mib is all there is"),
    {"run", KEY_OBJECT, FIELD(run), .keys = run,
     .size = sizeof(struct run_config)},
    {"sandbox", KEY_OBJECT, FIELD(sandbox), .keys = sandbox,
     .size = sizeof(struct sandbox_config)},
    {"exit-record", KEY_OBJECT, FIELD(record), .keys = exit_record,
     .size = sizeof(struct record_config)},
    {"serial", KEY_OTHER, .hint = "Firecracker has it in its API only; use "
                                  "\"console\""},
    {.name = NULL},
};
/* clang-format on */
