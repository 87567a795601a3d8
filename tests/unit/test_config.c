/* SPDX-License-Identifier: Apache-2.0 */
/* config: JSON texts and the exact lines they give; rules; words and sizes.
 * Long because of its tables. */
#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/position.h"
#include "mote/config.h"

#include "config_rig.h"

#define BOOT "{\"boot-source\": {\"kernel_image_path\": \"k\"}"

/* More than is shown of a value. */
#define LONG                                                                   \
    "0123456789012345678901234567890123456789012345678901234567890123456789"

/* want NULL: accepted in silence. */
struct json_case {
    const char *text;
    const char *want;
};

static const struct json_case json_cases[] = {
    {"{}", NULL},
    {BOOT "}", NULL},
    {BOOT ", \"drives\": []}", NULL},
    {BOOT ", \"vsock\": null, \"cpu-config\": null}", NULL},
    {BOOT ", \"logger\": {\"level\": \"wArNing\"}}", NULL},
    {BOOT ", \"machine-config\": {\"vcpu_count\": 2, \"mem_size_mib\": 512,"
          " \"smt\": false, \"huge_pages\": \"None\", \"cpu_template\": null,"
          " \"track_dirty_pages\": false}}",
     NULL},
    {"{\"console\": {\"mode\": \"off\", \"device\": \"serial\"}}", NULL},
    {"{\"console\": {\"input\": null, \"rate_limiter\": null}}", NULL},
    {"{\"console\": {\"input\": 0, \"rate_limiter\": {\"size\": 1}}}",
     "mote: t:1:23: console.input: 0 is not true or false\n"
     "mote: t:1:42: console.rate_limiter: \"refill_time\" is required\n"},
    {"{\"console\": {\"rate_limiter\": {\"bandwidth\": {}}}}",
     "mote: t:1:31: console.rate_limiter.bandwidth: unknown key; known here: "
     "size, refill_time, one_time_burst\n"
     "mote: t:1:30: console.rate_limiter: \"size\" is required\n"
     "mote: t:1:30: console.rate_limiter: \"refill_time\" is required\n"},
    /* Keys that are no keys. */
    {"{\n  \"vsok\": {}\n}",
     "mote: t:2:3: vsok: unknown key; did you mean \"vsock\"?\n"},
    {"{\"boot-source\": {\"kernel_image_path\": \"k\",\n\"boot_arg\": \"\"}}",
     "mote: t:2:1: boot-source.boot_arg: unknown key; did you mean "
     "\"boot_args\"?\n"},
    {"{\"boot-source\": {\"kernel_image_path\": \"k\", \"xyzzy\": 1}}",
     "mote: t:1:44: boot-source.xyzzy: unknown key; known here: "
     "kernel_image_path, initrd_path, boot_args\n"},
    {BOOT ", \"logger\": {\"level\": \"" LONG "\"}}",
     "mote: t:1:65: logger.level: "
     "\"012345678901234567890123456789012345678901234567890"
     "12345678... is not one of Off, Error, Warning, Warn, Info, Debug, "
     "Trace\n"},
    {BOOT ", \x01}",
     "mote: t:1:45: not JSON: string or '}' expected near '?'\n"},
    {"{\"serial\": {}}", "mote: t:1:2: serial: unknown key; Firecracker has it "
                         "in its API only; use \"console\"\n"},
    {"{\"a\\n\\u001b[2J\": 1}",
     "mote: t:1:2: a??[2J: unknown key; known here: boot-source, "
     "machine-config, logger, console, drives, cpu-config, "
     "network-interfaces, vsock, entropy, ports, metrics, mmds-config, "
     "balloon, pmem, memory-hotplug, run, sandbox, exit-record\n"},
    {"{\"logger\": {\"level\": \"Info\", \"level\": \"Info\"}}",
     "mote: t:1:30: \"level\": duplicate key\n"},
    {"{\"logger\": {},\n \"logger\": {}}",
     "mote: t:2:2: \"logger\": duplicate key\n"},
    /* Not supported yet, by name. */
    {"{\"vsock\": {}}", "mote: t:1:2: vsock: not supported yet; ports connect "
                        "guest and host by Unix sockets\n"},
    /* As flintlock writes it. */
    {"{\"drives\": [{\"drive_id\": \"root\", \"path_on_host\": \"/dev/dm-1\", "
     "\"is_root_device\": true, \"is_read_only\": false, \"cache_type\": "
     "\"Unsafe\"}], \"boot-source\": {\"kernel_image_path\": \"/k/vmlinux\", "
     "\"initrd_path\": \"/i\", \"boot_args\": \"console=ttyS0 "
     "ds=nocloud-net;s=http://169.254.169.254/latest/\"}, \"logger\": "
     "{\"log_path\": \"/l\", \"level\": \"Debug\", \"show_level\": true, "
     "\"show_log_origin\": true}, \"machine-config\": {\"vcpu_count\": 2, "
     "\"mem_size_mib\": 2048, \"smt\": true, \"track_dirty_pages\": false}, "
     "\"metrics\": {\"metrics_path\": \"/m\"}, \"mmds-config\": {\"version\": "
     "\"V1\", \"network_interfaces\": [\"eth0\"]}, \"network-interfaces\": "
     "[{\"iface_id\": \"eth0\", \"host_dev_name\": \"fltap0\", "
     "\"guest_mac\": \"AA:FF:00:00:00:01\"}, {\"iface_id\": \"eth1\", "
     "\"host_dev_name\": \"/dev/tap7\"}]}",
     NULL},
    {"{\"metrics\": {}}",
     "mote: t:1:13: metrics: \"metrics_path\" is required\n"},
    {"{\"metrics\": {\"metrics_path\": \"\"}}",
     "mote: t:1:30: metrics.metrics_path: \"\" is empty\n"},
    {"{\"metrics\": {\"metrics_path\": \"m\", \"properties\": {\"a\": 1}}}",
     "mote: t:1:55: metrics.properties.a: 1 is not a string\n"},
    {"{\"metrics\": {\"metrics_path\": \"m\", \"properties\": {\"a\": "
     "\"b\"}}}",
     NULL},
    {"{\"cpu-config\": \"c.json\"}",
     "mote: t:1:2: cpu-config: CPU templates are not supported; the guest "
     "sees what its engine has\n"},
    {"{\"memory-hotplug\": {}}",
     "mote: t:1:2: memory-hotplug: virtio-mem is not supported yet; "
     "mem_size_mib is all there is\n"},
    {"{\"cpu-config\": null, \"vsock\": null, \"metrics\": null, "
     "\"mmds-config\": null, \"balloon\": null, \"pmem\": [], "
     "\"memory-hotplug\": null, \"entropy\": null, \"logger\": null, "
     "\"drives\": [], \"network-interfaces\": [], \"machine-config\": {"
     "\"vcpu_count\": 1, \"mem_size_mib\": 16, \"smt\": false, "
     "\"cpu_template\": \"None\", \"huge_pages\": \"None\", "
     "\"track_dirty_pages\": false, \"gdb_socket_path\": null}}",
     NULL},
    {"{\"logger\": {\"module\": \"virtio\", \"level\": \"info\"}}", NULL},
    {"{\"run\": {\"deadlines\": {\"wall_ms\": 5, \"boot_ms\": 0, "
     "\"cpu_ms\": 1, \"idle_ms\": 2, \"stop_ms\": 2147483648}}, "
     "\"exit-record\": {\"path\": \"-\"}}",
     NULL},
    {"{\"run\": {\"deadlines\": {\"wal_ms\": 5}}, \"exit-record\": {}}",
     "mote: t:1:24: run.deadlines.wal_ms: unknown key; did you mean "
     "\"wall_ms\"?\n"
     "mote: t:1:54: exit-record: \"path\" is required\n"},
    {"{\"balloon\": {}}", "mote: t:1:2: balloon: not supported yet; "
                          "sandbox.limits.memory_mib bounds what the host "
                          "gives\n"},
    {"{\"pmem\": [{}]}", "mote: t:1:2: pmem: virtio-pmem is not supported yet; "
                         "use drives\n"},
    {"{\"machine-config\": {\"vcpu_count\": 1, \"mem_size_mib\": 128, "
     "\"track_dirty_pages\": true}}",
     "mote: t:1:59: machine-config.track_dirty_pages: not supported yet; "
     "there are no snapshots\n"},
    {"{\"machine-config\": {\"vcpu_count\": 1, \"mem_size_mib\": 128, "
     "\"huge_pages\": \"2M\"}}",
     "mote: t:1:73: machine-config.huge_pages: \"2M\" is not supported yet; "
     "use None\n"},
    /* Types are exact, numbers have ranges. */
    {"{\"machine-config\": {\"vcpu_count\": \"4\", \"mem_size_mib\": 1.0}}",
     "mote: t:1:35: machine-config.vcpu_count: \"4\" is not an integer\n"
     "mote: t:1:56: machine-config.mem_size_mib: 1.0 is not an integer\n"},
    {"{\"machine-config\": {\"vcpu_count\": 64, \"mem_size_mib\": 0}}",
     "mote: t:1:35: machine-config.vcpu_count: 64 is out of range 1..32\n"
     "mote: t:1:55: machine-config.mem_size_mib: 0 is out of range "
     "16..524288\n"},
    {"{\"machine-config\": {\"vcpu_count\": -1, \"mem_size_mib\": 16, "
     "\"smt\": 1}}",
     "mote: t:1:35: machine-config.vcpu_count: -1 is out of range 1..32\n"
     "mote: t:1:66: machine-config.smt: 1 is not true or false\n"},
    {"{\"boot-source\": {\"kernel_image_path\": \"\"}}",
     "mote: t:1:39: boot-source.kernel_image_path: \"\" is empty\n"},
    {"{\"boot-source\": {\"kernel_image_path\": 7, \"initrd_path\": {}}}",
     "mote: t:1:39: boot-source.kernel_image_path: 7 is not a string\n"
     "mote: t:1:57: boot-source.initrd_path: an object is not a string\n"},
    {"{\"logger\": []}", "mote: t:1:12: logger: an array is not an object\n"},
    {"[]", "mote: t:1:1: an array is not an object\n"},
    {"{\"logger\": {\"level\": \"Inof\"}}",
     "mote: t:1:22: logger.level: \"Inof\" is not one of Off, Error, Warning, "
     "Warn, Info, Debug, Trace; did you mean \"Info\"?\n"},
    {"{\"machine-config\": {\"engine\": \"qemu\", \"vcpu_count\": 1, "
     "\"mem_size_mib\": 16}}",
     "mote: t:1:31: machine-config.engine: \"qemu\" is not one of auto, kvm, "
     "interp\n"},
    /* The jail. */
    {"{\"sandbox\": {\"require\": \"full\", \"netns\": \"none\", "
     "\"uid\": 1, \"gid\": 4294967294, \"cgroup\": \"c\", \"limits\": "
     "{\"memory_mib\": 1, \"pids\": 2, \"cpu_percent\": 3}, "
     "\"rlimits\": {\"nofile\": 64, \"fsize\": 1}}}",
     NULL},
    {"{\"sandbox\": {\"require\": \"ful\", \"netns\": \"host\", \"uid\": 0, "
     "\"gid\": 4294967295}}",
     "mote: t:1:25: sandbox.require: \"ful\" is not one of best, full, off; "
     "did you mean \"full\"?\n"
     "mote: t:1:41: sandbox.netns: \"host\" is not \"new\", \"none\" or a "
     "path, such as /run/netns/NAME\n"
     "mote: t:1:56: sandbox.uid: 0 is out of range 1..4294967294\n"
     "mote: t:1:66: sandbox.gid: 4294967295 is out of range "
     "1..4294967294\n"},
    {"{\"sandbox\": {\"limits\": {\"memory\": 1}}}",
     "mote: t:1:25: sandbox.limits.memory: unknown key; known here: "
     "memory_mib, pids, cpu_percent\n"},
    /* Required, and null. */
    {"{\n \"machine-config\": {}}",
     "mote: t:2:20: machine-config: \"vcpu_count\" is required\n"
     "mote: t:2:20: machine-config: \"mem_size_mib\" is required\n"},
    {"{\"exit-record\": {\"path\": null}}",
     "mote: t:1:26: exit-record.path: null, but this key is required\n"},
    /* The text itself. */
    {"", "mote: t:1:1: not JSON: '[' or '{' expected near end of file\n"},
    {"{\"a\": tru}", "mote: t:1:7: not JSON: invalid token near 'tru'\n"},
    {"{\"logger\": {}\n  \"drives\": []}",
     "mote: t:2:3: not JSON: '}' expected near '\"drives\"'\n"},
    {"{} x", "mote: t:1:4: not JSON: end of file expected near 'x'\n"},
    {"{\"logger\": {\"log_path\": \"a\\u0000b\"}}",
     "mote: t:1:25: \\u0000 is not allowed\n"},
    {"// no\n{}", "mote: t:1:1: not JSON: '[' or '{' expected near '/'\n"},
    {"[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]",
     "mote: t:1:17: nested deeper than 16 levels\n"},
    /* Columns count characters; keys may be spelled with escapes. */
    {"{\"logger\": {\"log_path\": \"\xc3\xa4\xc3\xb6\", \"level\": 1}}",
     "mote: t:1:40: logger.level: 1 is not a string\n"},
    {"{\"log\\u0067er\": {\"x}\\\"\": 1, \"level\": 2}}",
     "mote: t:1:18: logger.x}\": unknown key; known here: log_path, level, "
     "show_level, show_log_origin, module\n"
     "mote: t:1:38: logger.level: 2 is not a string\n"},
};

START_TEST(test_json)
{
    config_rig_case(json_cases[_i].text, json_cases[_i].want);
}
END_TEST

START_TEST(test_json_values)
{
    static const char text[] =
        "{\"boot-source\": {\"kernel_image_path\": \"k\\u00e4\", "
        "\"initrd_path\": \"i\", \"boot_args\": \"\"},"
        "\"machine-config\": {\"vcpu_count\": 32, \"mem_size_mib\": 524288, "
        "\"smt\": true, \"engine\": \"kvm\", \"interp_stats\": true, "
        "\"poll_us\": 50},"
        "\"console\": {\"mode\": \"file\", \"path\": \"c\", \"input\": false, "
        "\"rate_limiter\": {\"size\": 3, \"refill_time\": 2, "
        "\"one_time_burst\": 1}},"
        "\"logger\": {\"log_path\": \"l\", \"level\": \"off\", "
        "\"show_level\": true, \"show_log_origin\": true}}";
    struct config c;

    ck_assert_int_eq(config_rig_parse(&c, text), 0);
    ck_assert_str_eq(c.boot.kernel, "k\xc3\xa4");
    ck_assert_str_eq(c.boot.initrd, "i");
    ck_assert_str_eq(c.boot.args, "");
    ck_assert_uint_eq(c.machine.vcpus, 32);
    ck_assert_uint_eq(c.machine.mem_bytes, 512 * GIB);
    ck_assert(c.machine.smt);
    ck_assert_int_eq(c.machine.engine, ENGINE_KVM);
    ck_assert(c.machine.interp_stats);
    ck_assert_uint_eq(c.machine.poll_ns, 50000);
    ck_assert_int_eq(c.console.mode, CHR_FILE);
    ck_assert_str_eq(c.console.path, "c");
    ck_assert(!c.console.input);
    ck_assert_uint_eq(c.console.limit.size, 3);
    ck_assert_uint_eq(c.console.limit.refill_ms, 2);
    ck_assert_uint_eq(c.console.limit.burst, 1);
    ck_assert_str_eq(c.log.path, "l");
    ck_assert_int_eq(c.log.level, LOG_OFF);
    ck_assert(c.log.show_level && c.log.show_origin);
    config_fini(&c);
}
END_TEST

/* What an option has set stays, is still checked in the file, and satisfies
 * "required". */
START_TEST(test_option_wins)
{
    static const char text[] =
        "{\"machine-config\": {\"mem_size_mib\": 512, \"engine\": 5}}";
    struct config c;

    capture_start();
    ck_assert_int_eq(config_init(&c), 0);
    c.machine.vcpus = 3;
    c.machine.engine = ENGINE_KVM;
    config_set_option(&c, &c.machine.vcpus, "--cpus");
    config_set_option(&c, &c.machine.engine, "--engine");
    ck_assert_int_eq(config_parse(&c, "t", text, strlen(text)), -EINVAL);
    ck_assert_str_eq(capture_text,
                     "mote: t:1:52: machine-config.engine: 5 is not a "
                     "string\n");
    ck_assert_uint_eq(c.machine.vcpus, 3);
    ck_assert_uint_eq(c.machine.mem_bytes, 512 * MIB);
    ck_assert_int_eq(c.machine.engine, ENGINE_KVM);
    config_fini(&c);
}
END_TEST

static unsigned int count_lines(const char *text)
{
    unsigned int n = 0;

    for (; *text; text++)
        n += *text == '\n';
    return n;
}

START_TEST(test_error_limit)
{
    char text[1024] = "{";
    struct config c;

    for (int i = 0; i < 30; i++)
        snprintf(text + strlen(text), sizeof(text) - strlen(text),
                 "%s\"vsok%d\": 1", i ? ", " : "", i % 10 + 10 * (i / 10));
    strcat(text, "}");
    ck_assert_int_eq(config_rig_parse(&c, text), -EINVAL);
    ck_assert_uint_eq(count_lines(capture_text), 21);
    ck_assert_ptr_nonnull(strstr(capture_text, "t: more than 20 errors\n"));
    config_fini(&c);
}
END_TEST

START_TEST(test_text_limits)
{
    size_t len = MIB + 1;
    char *text = malloc(len);
    struct config c;

    memset(text, ' ', len);
    text[0] = '{';
    text[MIB - 1] = '}';
    capture_start();
    ck_assert_int_eq(config_init(&c), 0);
    ck_assert_int_eq(config_parse(&c, "t", text, len), -EINVAL);
    ck_assert_str_eq(capture_text, "mote: t: longer than 1 MiB\n");
    capture_start();
    ck_assert_int_eq(config_parse(&c, "t", text, MIB), 0);
    config_fini(&c);
    ck_assert_int_eq(config_init(&c), 0);
    ck_assert_int_eq(config_parse(&c, "t", "{ \0}", 4), -EINVAL);
    ck_assert_str_eq(capture_text, "mote: t:1:3: a NUL byte is not allowed\n");
    capture_start();
    ck_assert_int_eq(config_parse(&c, "t", "{\"\xff\": 1}", 8), -EINVAL);
    ck_assert_ptr_nonnull(strstr(capture_text, "not JSON: unable to decode"));
    config_fini(&c);
    free(text);
}
END_TEST

/* ---- rules ----------------------------------------------------------------
 */

/* file is created with these contents and mode, and named in place of @. */
struct rule_case {
    const char *text;
    const char *want; /* NULL: accepted */
};

#define KERNEL "{\"boot-source\": {\"kernel_image_path\": \"kernel\"}"

static const struct rule_case rule_cases[] = {
    {KERNEL "}", NULL},
    {"{}", "mote: no kernel: give --kernel FILE, or "
           "boot-source.kernel_image_path in --config FILE\n"},
    {"{\"boot-source\": {\"kernel_image_path\": \"no/such\"}}",
     "mote: t:1:39: boot-source.kernel_image_path: no/such: No such file or "
     "directory (ENOENT)\n"},
    {"{\"boot-source\": {\"kernel_image_path\": \"a\\n\\u001b[2J\"}}",
     "mote: t:1:39: boot-source.kernel_image_path: a??[2J: No such file or "
     "directory (ENOENT)\n"},
    {"{\"boot-source\": {\"kernel_image_path\": \".\"}}",
     "mote: t:1:39: boot-source.kernel_image_path: .: a directory, not a "
     "file\n"},
    {"{\"boot-source\": {\"kernel_image_path\": \"empty\"}}",
     "mote: t:1:39: boot-source.kernel_image_path: empty: the file is "
     "empty\n"},
    {"{\"boot-source\": {\"kernel_image_path\": \"/dev/zero\"}}",
     "mote: t:1:39: boot-source.kernel_image_path: /dev/zero: not a regular "
     "file\n"},
    {"{\"boot-source\": {\"kernel_image_path\": \"kernel\", \"boot_args\": "
     "\"a\\tb\"}}",
     "mote: t:1:62: boot-source.boot_args: byte 0x09 at offset 1 is not "
     "printable ASCII\n"},
    {KERNEL ", \"machine-config\": {\"vcpu_count\": 3, \"mem_size_mib\": 64, "
            "\"smt\": true}}",
     "mote: t:1:113: machine-config.smt: true needs 1 or an even number of "
     "vCPUs, not 3\n"},
    {KERNEL ", \"machine-config\": {\"vcpu_count\": 1, \"mem_size_mib\": 64, "
            "\"smt\": true}}",
     NULL},
    {KERNEL ", \"machine-config\": {\"vcpu_count\": 2, \"mem_size_mib\": 64, "
            "\"engine\": \"interp\"}}",
     NULL},
    {KERNEL ", \"console\": {\"mode\": \"file\"}}",
     "mote: t:1:70: console.mode: \"file\" needs a path\n"},
    {KERNEL ", \"console\": {\"path\": \"x\"}}",
     "mote: t:1:70: console.path: a path is for modes \"file\" and "
     "\"unix\" only\n"},
    {KERNEL ", \"console\": {\"mode\": \"file\", \"path\": \"x\"}, "
            "\"logger\": {\"log_path\": \"x\"}}",
     "mote: t:1:115: logger.log_path: x is the console's file already\n"},
    {KERNEL ", \"console\": {\"mode\": \"unix\", \"device\": \"virtio\", "
            "\"path\": \"" LONG LONG "\"}}",
     "mote: t:1:106: console.path: 140 bytes; a socket's path has at most "
     "107\n"},
    {KERNEL ", \"sandbox\": {\"limits\": {\"memory_mib\": 100}}}",
     "mote: t:1:87: sandbox.limits.memory_mib: a limit of the cgroup: give "
     "sandbox.cgroup, too\n"},
    {KERNEL ", \"sandbox\": {\"limits\": {\"pids\": 7}}}",
     "mote: t:1:81: sandbox.limits.pids: a limit of the cgroup: give "
     "sandbox.cgroup, too\n"},
    {KERNEL ", \"sandbox\": {\"limits\": {\"cpu_percent\": 50}}}",
     "mote: t:1:88: sandbox.limits.cpu_percent: a limit of the cgroup: give "
     "sandbox.cgroup, too\n"},
    {KERNEL ", \"sandbox\": {\"uid\": 5}}",
     "mote: t:1:69: sandbox.uid: uid and gid are given together\n"},
    {KERNEL ", \"sandbox\": {\"gid\": 5}}",
     "mote: t:1:69: sandbox.gid: uid and gid are given together\n"},
};

START_TEST(test_rules)
{
    const struct rule_case *t = &rule_cases[_i];
    char dir[] = "/tmp/mote-test-XXXXXX";
    struct config c;
    int r;

    ck_assert_ptr_nonnull(mkdtemp(dir));
    ck_assert_int_eq(chdir(dir), 0);
    write_file("kernel", "x");
    write_file("empty", "");
    capture_start();
    ck_assert_int_eq(config_init(&c), 0);
    ck_assert_int_eq(config_parse(&c, "t", t->text, strlen(t->text)), 0);
    r = config_check(&c);
    unlink("kernel");
    unlink("empty");
    rmdir(dir);
    ck_assert_str_eq(capture_text, t->want ? t->want : "");
    ck_assert_int_eq(r, t->want ? -EINVAL : 0);
    config_fini(&c);
}
END_TEST

/* Who may not read what; as root there is nobody to be refused. */
START_TEST(test_denied)
{
    char path[] = "/tmp/mote-test-XXXXXX", want[256];
    int fd = mkstemp(path);
    struct config c;

    ck_assert_int_ge(fd, 0);
    fchmod(fd, 0);
    close(fd);
    if (geteuid() == 0)
        ck_assert_int_eq(seteuid(65534), 0);
    capture_start();
    ck_assert_int_eq(config_init(&c), 0);
    c.boot.kernel = strdup(path);
    config_set_option(&c, &c.boot.kernel, "--kernel");
    ck_assert_int_eq(config_check(&c), -EINVAL);
    snprintf(want, sizeof(want),
             "mote: --kernel: %s: Permission denied (EACCES); uid %u may not "
             "read it (owner uid %u, mode 0000)\n",
             path, geteuid(), getuid());
    ck_assert_str_eq(capture_text, want);
    if (getuid() == 0)
        ck_assert_int_eq(seteuid(0), 0);
    unlink(path);
    config_fini(&c);
}
END_TEST

/* ---- sources --------------------------------------------------------------
 */

START_TEST(test_read_fd)
{
    struct config c;
    char source[16];
    int fd[2];

    ck_assert_int_eq(pipe(fd), 0);
    ck_assert_int_eq(write(fd[1], "{\"vsok\": 1}", 11), 11);
    close(fd[1]);
    snprintf(source, sizeof(source), "fd:%d", fd[0]);
    capture_start();
    ck_assert_int_eq(config_init(&c), 0);
    ck_assert_int_eq(config_read(&c, source), -EINVAL);
    snprintf(source, sizeof(source), "mote: fd:%d:1:2:", fd[0]);
    ck_assert_int_eq(strncmp(capture_text, source, strlen(source)), 0);
    ck_assert_int_eq(fcntl(fd[0], F_GETFD), -1); /* read, and closed */
    config_fini(&c);
}
END_TEST

static const struct json_case source_cases[] = {
    {"no/such", "mote: no/such: No such file or directory (ENOENT)\n"},
    {"/", "mote: /: Is a directory (EISDIR)\n"},
    {"fd:x", "mote: fd:x: not a descriptor number\n"},
    {"fd:", "mote: fd:: not a descriptor number\n"},
    {"fd:-1", "mote: fd:-1: not a descriptor number\n"},
    {"fd:3x", "mote: fd:3x: not a descriptor number\n"},
    {"fd:99999999999999999999", "mote: fd:99999999999999999999: not a "
                                "descriptor number\n"},
    {"fd:1000", "mote: fd:1000: Bad file descriptor (EBADF)\n"},
};

START_TEST(test_read_errors)
{
    const struct json_case *t = &source_cases[_i];
    struct config c;

    capture_start();
    ck_assert_int_eq(config_init(&c), 0);
    ck_assert_int_lt(config_read(&c, t->text), 0);
    ck_assert_str_eq(capture_text, t->want);
    config_fini(&c);
}
END_TEST

/* ---- words ----------------------------------------------------------------
 */

static const struct size_case {
    const char *text;
    int r;
    u64 bytes;
} size_cases[] = {
    {"512M", 0, 512 * MIB},
    {"512m", 0, 512 * MIB},
    {"512MiB", 0, 512 * MIB},
    {"2G", 0, 2 * GIB},
    {"1T", 0, 1024 * GIB},
    {"131072K", 0, 128 * MIB},
    {"1048576", 0, MIB},
    {"0M", 0, 0},
    {"18446744073709551615", 0, UINT64_MAX},
    {"512", -EINVAL, 0},
    {"1048575", -EINVAL, 0},
    {"", -EINVAL, 0},
    {"M", -EINVAL, 0},
    {"-1M", -EINVAL, 0},
    {"+1M", -EINVAL, 0},
    {" 1M", -EINVAL, 0},
    {"1M ", -EINVAL, 0},
    {"1MB", -EINVAL, 0},
    {"1.5G", -EINVAL, 0},
    {"0x10M", -EINVAL, 0},
    {"1MM", -EINVAL, 0},
    {"18446744073709551616", -ERANGE, 0},
    {"99999999999999999999K", -ERANGE, 0},
    {"17592186044416M", -ERANGE, 0},
};

START_TEST(test_size)
{
    const struct size_case *t = &size_cases[_i];
    u64 bytes = 0;

    ck_assert_msg(config_parse_size(t->text, &bytes) == t->r, "%s", t->text);
    if (t->r == 0)
        ck_assert_uint_eq(bytes, t->bytes);
}
END_TEST

START_TEST(test_nearest)
{
    static const char *const names[] = {"vsock", "drives", "id", "logger"};
    char longer[200];

    ck_assert_str_eq(config_nearest("vsok", names, 4), "vsock");
    ck_assert_str_eq(config_nearest("vsocket", names, 4), "vsock");
    ck_assert_str_eq(config_nearest("loger", names, 4), "logger");
    ck_assert_str_eq(config_nearest("socks", names, 4), "vsock");
    ck_assert_str_eq(config_nearest("drive", names, 4), "drives");
    ck_assert_ptr_null(config_nearest("socket", names, 4));
    ck_assert_ptr_null(config_nearest("x", names, 4));
    ck_assert_ptr_null(config_nearest("", names, 4));
    memset(longer, 'a', sizeof(longer));
    longer[sizeof(longer) - 1] = '\0';
    ck_assert_ptr_null(config_nearest(longer, names, 4));
}
END_TEST

static const struct form_case {
    config_form_fn *form;
    const char *text;
    bool good;
} form_cases[] = {
    {config_form_id, "vm-1_A", true},
    {config_form_id, "", false},
    {config_form_id, "a/b", false},
    {config_form_id, "a b", false},
    {config_form_mac, "06:00:ac:10:00:02", true},
    {config_form_mac, "FE:FF:FF:FF:FF:FF", true},
    {config_form_mac, "06:00:ac:10:00:0", false},
    {config_form_mac, "06:00:ac:10:00:022", false},
    {config_form_mac, "06-00-ac-10-00-02", false},
    {config_form_mac, "06:00:ac:10:00:0g", false},
    {config_form_mac, "", false},
    {config_form_mac, "01:00:5e:00:00:01", false},
    {config_form_mac, "ff:ff:ff:ff:ff:ff", false},
    {config_form_mac, "00:00:00:00:00:00", false},
    {config_form_forward, "tcp:8080:80", true},
    {config_form_forward, "udp:65535:1", true},
    {config_form_forward, "tcp:8080", false},
    {config_form_forward, "tcp:0:80", false},
    {config_form_forward, "tcp:1:65536", false},
    {config_form_forward, "tcp:1:100000", false},
    {config_form_forward, "sctp:1:1", false},
    {config_form_forward, "tcp:1:2:3", false},
    {config_form_forward, "tcp::2", false},
    {config_form_forward, "tcp", false},
    {config_form_forward, "", false},
    {config_form_address, "10.0.2.15", true},
    {config_form_address, "fd00::1", true},
    {config_form_address, "10.0.2", false},
    {config_form_address, "host", false},
    {config_form_address, "", false},
    {config_form_partuuid, "0002dd75-01", true},
    {config_form_partuuid, "6b2c8a1e-0f0f-4c4c-9d9d-0123456789AB", true},
    {config_form_partuuid, "a b", false},
    {config_form_partuuid, "xyz", false},
    {config_form_partuuid, "", false},
};

START_TEST(test_form)
{
    const struct form_case *t = &form_cases[_i];

    ck_assert_msg(!t->form(t->text) == t->good, "%s", t->text);
}
END_TEST

START_TEST(test_long_id)
{
    char id[66];

    memset(id, 'a', sizeof(id));
    id[65] = '\0';
    ck_assert_ptr_null(config_form_id(id + 1));
    ck_assert_ptr_nonnull(config_form_id(id));
}
END_TEST

START_TEST(test_mac)
{
    static const u8 want[6] = {0x06, 0x00, 0xac, 0x1F, 0xff, 0x02};
    u8 mac[6];

    config_parse_mac("06:00:ac:1F:ff:02", mac);
    ck_assert_mem_eq(mac, want, 6);
}
END_TEST

Suite *suite_config(void);
Suite *suite_config(void)
{
    Suite *s = suite_create("config");
    TCase *tc = tcase_create("config");

    tcase_add_loop_test(tc, test_json, 0, ARRAY_SIZE(json_cases));
    tcase_add_test(tc, test_json_values);
    tcase_add_test(tc, test_option_wins);
    tcase_add_test(tc, test_error_limit);
    tcase_add_test(tc, test_text_limits);
    tcase_add_loop_test(tc, test_rules, 0, ARRAY_SIZE(rule_cases));
    tcase_add_test(tc, test_denied);
    tcase_add_test(tc, test_read_fd);
    tcase_add_loop_test(tc, test_read_errors, 0, ARRAY_SIZE(source_cases));
    tcase_add_loop_test(tc, test_size, 0, ARRAY_SIZE(size_cases));
    tcase_add_test(tc, test_nearest);
    tcase_add_loop_test(tc, test_form, 0, ARRAY_SIZE(form_cases));
    tcase_add_test(tc, test_long_id);
    tcase_add_test(tc, test_mac);
    suite_add_tcase(s, tc);
    return s;
}
