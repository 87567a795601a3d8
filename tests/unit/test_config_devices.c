/* SPDX-License-Identifier: Apache-2.0 */
/* config_devices: drives, network-interfaces, entropy, ports: keys and rules */
#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mote/config.h"

#include "config_rig.h"

/* One JSON file in the text of a test, ' for ", with a kernel in front. */
static char *text_of(const char *blocks)
{
    static char text[8192];

    snprintf(text, sizeof(text),
             "{'boot-source': {'kernel_image_path': 'kernel'},\n%s}", blocks);
    for (char *s = text; *s; s++)
        if (*s == '\'')
            *s = '"';
    return text;
}

/* want NULL: accepted in silence. */
struct device_case {
    const char *blocks;
    const char *want;
};

/* ---- keys -----------------------------------------------------------------
 */

#define D "'drive_id': 'd', 'path_on_host': 'disk', 'is_root_device': false"
#define N "'iface_id': 'n', 'host_dev_name': 'tap0'"

#define FOUR  "'tcp:1:1', 'tcp:1:1', 'tcp:1:1', 'tcp:1:1', "
#define EIGHT FOUR FOUR

static const struct device_case key_cases[] = {
    {"'drives': []", NULL},
    {"'drives': null", NULL},
    {"'drives': [{" D "}]", NULL},
    {"'drives': [{" D ", 'is_read_only': true, 'partuuid': '0002dd75-01',"
     "'cache_type': 'Unsafe', 'io_engine': 'Async', 'socket': null,"
     "'on_error': 'stop', 'direct': true, 'rate_limiter': null}]",
     NULL},
    {"'drives': [{" D ", 'rate_limiter': {'bandwidth': {'size': 1, "
     "'refill_time': 2, 'one_time_burst': 3}, 'ops': null}}]",
     NULL},
    {"'drives': [{" D ", 'overlay': 'ephemeral'}]", NULL},
    {"'drives': [{" D ", 'overlay': {'path': 'o', 'quota_mib': 1, "
     "'on_exit': 'keep'}}]",
     NULL},
    {"'drives': {}", "mote: t:2:11: drives: an object is not an array\n"},
    {"'drives': [1]", "mote: t:2:12: drives[0]: an integer is not an object\n"},
    {"'drives': [{}]",
     "mote: t:2:12: drives[0]: \"drive_id\" is required\n"
     "mote: t:2:12: drives[0]: \"is_root_device\" is required\n"},
    {"'drives': [{" D "},\n{'drive_id': 'e', 'path_on_hots': 'x', "
     "'path_on_host': 'y', 'is_root_device': false}]",
     "mote: t:3:19: drives[1].path_on_hots: unknown key; did you mean "
     "\"path_on_host\"?\n"},
    {"'drives': [{'drive_id': 'a/b', 'path_on_host': '', "
     "'is_root_device': 1}]",
     "mote: t:2:25: drives[0].drive_id: \"a/b\" is not 1 to 64 letters, "
     "digits, - and _\n"
     "mote: t:2:48: drives[0].path_on_host: \"\" is empty\n"
     "mote: t:2:70: drives[0].is_root_device: 1 is not true or false\n"},
    {"'drives': [{'drive_id': null, 'path_on_host': 'x', "
     "'is_root_device': true}]",
     "mote: t:2:25: drives[0].drive_id: null, but this key is required\n"},
    {"'drives': [{" D ",\n'socket': 's'}]",
     "mote: t:3:1: drives[0].socket: vhost-user-blk is not supported yet; use "
     "path_on_host or rbd\n"},
    {"'drives': [{" D ", 'on_error': 'pause'}]", NULL},
    {"'drives': [{" D ",\n'on_error': 'hold'}]",
     "mote: t:3:13: drives[0].on_error: \"hold\" is not one of report, stop, "
     "pause\n"},
    {"'drives': [{" D ",\n'cache_type': 'Writebak'}]",
     "mote: t:3:15: drives[0].cache_type: \"Writebak\" is not one of "
     "Writeback, Unsafe; did you mean \"Writeback\"?\n"},
    {"'drives': [{" D ",\n'io_engine': 'uring'}]",
     "mote: t:3:14: drives[0].io_engine: \"uring\" is not one of Sync, "
     "Async\n"},
    {"'drives': [{" D ",\n'partuuid': 'x y'}]",
     "mote: t:3:13: drives[0].partuuid: \"x y\" is not a partition's UUID: hex "
     "digits and -\n"},
    {"'drives': [{" D ",\n'overlay': 'eternal'}]",
     "mote: t:3:12: drives[0].overlay: \"eternal\" is neither \"ephemeral\" "
     "nor an object\n"},
    {"'drives': [{" D ",\n'overlay': {'path': 'o', 'on_exit': 'rm', 'quota': "
     "1}}]",
     "mote: t:3:37: drives[0].overlay.on_exit: \"rm\" is not one of keep, "
     "discard\n"
     "mote: t:3:43: drives[0].overlay.quota: unknown key; known here: path, "
     "quota_mib, on_exit\n"},
    {"'drives': [{" D ",\n'rate_limiter': {'ops': {'size': -1}, 'bytes': 1}}]",
     "mote: t:3:34: drives[0].rate_limiter.ops.size: -1 is out of range "
     "0..9223372036854775807\n"
     "mote: t:3:25: drives[0].rate_limiter.ops: \"refill_time\" is required\n"
     "mote: t:3:39: drives[0].rate_limiter.bytes: unknown key; known here: "
     "bandwidth, ops\n"},
    {"'network-interfaces': [{" N "}]", NULL},
    {"'mmds-config': {'network_interfaces': ['n', 'm'], 'version': 'V2', "
     "'ipv4_address': '169.254.1.0', 'imds_compat': true, 'metadata_path': "
     "'m', 'size_limit': 1048576}",
     NULL},
    {"'mmds-config': {'version': 'V1', 'ipv4_address': null}", NULL},
    {"'mmds-config': {'network_interfaces': [],\n'version': 'V3', "
     "'ipv4_address': '169.254.0.255', 'size_limit': 0}",
     "mote: t:2:39: mmds-config.network_interfaces: [] names none\n"
     "mote: t:3:12: mmds-config.version: \"V3\" is not one of V1, V2; did you "
     "mean \"V1\"?\n"
     "mote: t:3:34: mmds-config.ipv4_address: \"169.254.0.255\" is not "
     "link-local: 169.254.1.0 to 169.254.254.255\n"
     "mote: t:3:65: mmds-config.size_limit: 0 is out of range 1..1048576\n"},
    {"'mmds-config': {'ipv4_address': '169.254.255.0'}",
     "mote: t:2:33: mmds-config.ipv4_address: \"169.254.255.0\" is not "
     "link-local: 169.254.1.0 to 169.254.254.255\n"},
    {"'mmds-config': {'ipv4_address': 'fe80::1'}",
     "mote: t:2:33: mmds-config.ipv4_address: \"fe80::1\" is not an IPv4 "
     "address\n"},
    {"'network-interfaces': [{" N ", 'guest_mac': '06:00:ac:10:00:02',"
     "'mtu': 1500, 'rx_rate_limiter': {}, 'tx_rate_limiter': null,"
     "'backend': 'tap', 'queue_pairs': 2}]",
     NULL},
    {"'network-interfaces': [{'iface_id': 'n', 'backend': 'user', 'user': "
     "{'program': 'p', 'forward': ['tcp:8080:80', 'udp:53:53'], 'address': "
     "'10.0.2.15', 'gateway': '10.0.2.2', 'dns': '10.0.2.3'}}]",
     NULL},
    {"'network-interfaces': [{" N ",\n'guest_mac': '06:00', 'mtu': 67, "
     "'queue_pairs': 9}]",
     "mote: t:3:14: network-interfaces[0].guest_mac: \"06:00\" is not six hex "
     "pairs, such as 06:00:ac:10:00:02\n"
     "mote: t:3:30: network-interfaces[0].mtu: 67 is out of range 68..65535\n"
     "mote: t:3:49: network-interfaces[0].queue_pairs: 9 is out of range "
     "1..8\n"},
    {"'network-interfaces': [{" N ",\n'guest_mac': '01:00:5e:00:00:01'}]",
     "mote: t:3:14: network-interfaces[0].guest_mac: \"01:00:5e:00:00:01\" is "
     "a group address; the first byte of a station's is even\n"},
    {"'network-interfaces': [{'iface_id': 'n',\n'backend': 'usr', 'fd': 2}]",
     "mote: t:3:12: network-interfaces[0].backend: \"usr\" is not one of tap, "
     "fd, user; did you mean \"user\"?\n"
     "mote: t:3:25: network-interfaces[0].fd: 2 is out of range "
     "3..1048576\n"},
    {"'network-interfaces': [{'iface_id': 'n', 'backend': 'user',\n"
     "'user': {'forward': ['tcp:80', 7], 'dns': 'x', 'allow': []}}]",
     "mote: t:3:22: network-interfaces[0].user.forward[0]: \"tcp:80\" is not "
     "tcp:HOST:GUEST or udp:HOST:GUEST with ports 1..65535\n"
     "mote: t:3:32: network-interfaces[0].user.forward[1]: 7 is not a "
     "string\n"
     "mote: t:3:43: network-interfaces[0].user.dns: \"x\" is not an IP "
     "address\n"
     "mote: t:3:48: network-interfaces[0].user.allow: not supported yet\n"},
    {"'network-interfaces': [{'iface_id': 'n', 'backend': 'user',\n"
     "'user': {'forward': [" EIGHT EIGHT "'tcp:1:1', 'tcp:1:1']}}]",
     "mote: t:3:198: network-interfaces[0].user.forward[16]: more than 16\n"},
    {"'network-interfaces': [{'iface_id': 'n', 'backend': 'user',\n"
     "'user': {'forward': 'tcp:1:1'}}]",
     "mote: t:3:21: network-interfaces[0].user.forward: a string is not an "
     "array\n"},
    {"'entropy': {}", NULL},
    {"'entropy': null", NULL},
    {"'entropy': {'rate_limiter': {'bandwidth': {'size': 64, 'refill_time': "
     "1000}}}",
     NULL},
    {"'entropy': {'rate': 1}",
     "mote: t:2:13: entropy.rate: unknown key; known here: rate_limiter\n"},
    {"'ports': [{'name': 'p', 'mode': 'file', 'path': 'out'}]", NULL},
    {"'ports': [{'mode': 'tty'}]",
     "mote: t:2:20: ports[0].mode: \"tty\" is not one of stdio, file, unix, "
     "off\n"
     "mote: t:2:11: ports[0]: \"name\" is required\n"},
    {"'ports': [{'name':'1','mode':'off'},{'name':'2','mode':'off'},"
     "{'name':'3','mode':'off'},{'name':'4','mode':'off'},"
     "{'name':'5','mode':'off'},{'name':'6','mode':'off'},"
     "{'name':'7','mode':'off'},\n{'name':'8','mode':'off'},{}]",
     "mote: t:3:1: ports[7]: one too many; 7 are possible\n"},
};

START_TEST(test_keys)
{
    config_rig_case(text_of(key_cases[_i].blocks), key_cases[_i].want);
}
END_TEST

START_TEST(test_values)
{
    const char *text = text_of(
        "'drives': [{'drive_id': 'd', 'path_on_host': 'disk', "
        "'is_root_device': true, 'is_read_only': true, 'partuuid': 'ab-1', "
        "'cache_type': 'Unsafe', 'io_engine': 'Async', 'on_error': 'stop', "
        "'direct': true, 'rate_limiter': {'bandwidth': {'size': 1, "
        "'refill_time': 2, 'one_time_burst': 3}, 'ops': {'size': 4, "
        "'refill_time': 5}}, 'overlay': {'path': 'o', 'quota_mib': 2, "
        "'on_exit': 'discard'}},"
        "{'drive_id': 'e', 'path_on_host': 'f', 'is_root_device': false, "
        "'overlay': 'ephemeral'}],"
        "'network-interfaces': [{'iface_id': 'n', 'backend': 'user', "
        "'guest_mac': '06:00:ac:10:00:02', 'mtu': 9000, 'user': {'program': "
        "'p', 'forward': ['tcp:1:2', 'udp:3:4'], 'address': '10.0.0.2', "
        "'gateway': '10.0.0.1', 'dns': '10.0.0.3'}, 'rx_rate_limiter': {'ops': "
        "{'size': 6, 'refill_time': 7}}}, {'iface_id': 'm', "
        "'host_dev_name': 'tap1', 'queue_pairs': 4, 'tx_rate_limiter': {'ops': "
        "{'size': 8, 'refill_time': 9}}}],"
        "'entropy': {'rate_limiter': {'bandwidth': {'size': 10, 'refill_time': "
        "11}}},"
        "'console': {'device': 'virtio'},"
        "'ports': [{'name': 'p', 'mode': 'unix', 'path': 's'}]");
    const struct drive_config *d;
    const struct net_config *n;
    struct config c;

    ck_assert_int_eq(config_rig_parse(&c, text), 0);
    ck_assert_uint_eq(c.nr_drives, 2);
    d = &c.drive[0];
    ck_assert_str_eq(d->id, "d");
    ck_assert_str_eq(d->path, "disk");
    ck_assert_str_eq(d->partuuid, "ab-1");
    ck_assert(d->root && d->read_only && d->direct);
    ck_assert_int_eq(d->cache, CACHE_UNSAFE);
    ck_assert_int_eq(d->engine, DISK_ASYNC);
    ck_assert_int_eq(d->on_error, ERROR_STOP);
    ck_assert_uint_eq(d->limit.bytes.size, 1);
    ck_assert_uint_eq(d->limit.bytes.refill_ms, 2);
    ck_assert_uint_eq(d->limit.bytes.burst, 3);
    ck_assert_uint_eq(d->limit.ops.size, 4);
    ck_assert_uint_eq(d->limit.ops.refill_ms, 5);
    ck_assert(d->overlay.given && !d->overlay.ephemeral);
    ck_assert_str_eq(d->overlay.path, "o");
    ck_assert_uint_eq(d->overlay.quota, 2 * MIB);
    ck_assert_int_eq(d->overlay.exit, OVERLAY_DISCARD);
    ck_assert(c.drive[1].overlay.given && c.drive[1].overlay.ephemeral);
    ck_assert_int_eq(c.drive[1].cache, CACHE_WRITEBACK);
    ck_assert_uint_eq(c.nr_nets, 2);
    n = &c.net[0];
    ck_assert_int_eq(n->backend, NET_USER);
    ck_assert_str_eq(n->mac, "06:00:ac:10:00:02");
    ck_assert_uint_eq(n->mtu, 9000);
    ck_assert_str_eq(n->user.program, "p");
    ck_assert_str_eq(n->user.forward[1], "udp:3:4");
    ck_assert_ptr_null(n->user.forward[2]);
    ck_assert_str_eq(n->user.gateway, "10.0.0.1");
    ck_assert_uint_eq(n->rx.ops.size, 6);
    ck_assert_str_eq(c.net[1].tap, "tap1");
    ck_assert_int_eq(c.net[1].backend, NET_TAP);
    ck_assert_uint_eq(c.net[1].pairs, 4);
    ck_assert_uint_eq(c.net[1].tx.ops.refill_ms, 9);
    ck_assert(c.entropy.given);
    ck_assert_uint_eq(c.entropy.limit.bytes.size, 10);
    ck_assert_int_eq(c.console.device, CONSOLE_VIRTIO);
    ck_assert_int_eq(c.port[0].mode, CHR_UNIX);
    ck_assert_str_eq(c.port[0].path, "s");
    config_fini(&c);
}
END_TEST

/* ---- rules ----------------------------------------------------------------
 */

#define DRIVE(id, path, more)                                                  \
    "{'drive_id': '" id "', 'path_on_host': '" path                            \
    "', 'is_root_device': false" more "}"

static const struct device_case rule_cases[] = {
    {"'drives': [" DRIVE("a", "disk", "") "]", NULL},
    {"'drives': [" DRIVE("a", "empty", "") "]", NULL},
    {"'drives': [" DRIVE("a", "none", "") "]",
     "mote: t:2:46: drives[0].path_on_host: none: No such file or directory "
     "(ENOENT)\n"},
    {"'drives': [" DRIVE("a", ".", ", 'is_read_only': true") "]",
     "mote: t:2:46: drives[0].path_on_host: .: neither a file nor a block "
     "device\n"},
    {"'drives': [" DRIVE("a", "/dev/zero", "") "]",
     "mote: t:2:46: drives[0].path_on_host: /dev/zero: neither a file nor a "
     "block device\n"},
    {"'drives': [" DRIVE("a", "disk", "") ",\n" DRIVE("a", "empty", "") "]",
     "mote: t:3:14: drives[1].drive_id: \"a\" is another drive's id\n"},
    {"'drives': [" DRIVE("a", "disk", "") ",\n" DRIVE("b", "./disk", "") "]",
     "mote: t:3:35: drives[1].path_on_host: ./disk is the image of drive a "
     "already\n"},
    {"'drives': [" DRIVE("a", "disk", ", 'is_read_only': true") ",\n" DRIVE(
         "b", "disk", ", 'overlay': 'ephemeral'") "]",
     NULL},
    {"'drives': [{'drive_id': 'a', 'path_on_host': 'disk', 'is_root_device': "
     "true},\n{'drive_id': 'b', 'path_on_host': 'empty', 'is_root_device': "
     "true}]",
     "mote: t:3:62: drives[1].is_root_device: drive a is the root device "
     "already\n"},
    {"'drives': [" DRIVE("a", "disk",
                         ",\n'is_read_only': true, 'overlay': "
                         "'ephemeral'") "]",
     "mote: t:3:34: drives[0].overlay: makes the drive writable: not for a "
     "read-only one\n"},
    {"'drives': [" DRIVE("a", "disk", ",\n'overlay': {'quota_mib': 4}") "]",
     "mote: t:3:12: drives[0].overlay: needs a path, or \"on_exit\": "
     "\"discard\"\n"},
    {"'drives': [" DRIVE("a", "disk",
                         ",\n'overlay': {'quota_mib': 4, "
                         "'on_exit': 'discard'}") "]",
     NULL},
    {"'drives': [" DRIVE("a", "disk", ",\n'overlay': {'path': 'disk'}") "]",
     "mote: t:3:21: drives[0].overlay.path: disk is the image of drive a "
     "already\n"},
    {"'drives': [" DRIVE("a", "kernel", "") "]",
     "mote: t:2:46: drives[0].path_on_host: kernel is the kernel already\n"},
    {"'drives': [" DRIVE("a", "disk", "") "],\n'logger': {'log_path': 'disk'}",
     "mote: t:2:46: drives[0].path_on_host: disk is the log already\n"},
    {"'network-interfaces': [{'iface_id': 'a'}]",
     "mote: t:2:37: network-interfaces[0].iface_id: backend \"tap\" needs a "
     "host_dev_name\n"},
    {"'network-interfaces': [{'iface_id': 'a', 'backend': 'fd', "
     "'host_dev_name': 't'}]",
     "mote: t:2:76: network-interfaces[0].host_dev_name: is for backend "
     "\"tap\" only\n"
     "mote: t:2:53: network-interfaces[0].backend: \"fd\" needs an fd\n"},
    {"'network-interfaces': [{'iface_id': 'a', 'host_dev_name': 't', 'fd': "
     "3,\n'user': {}}]",
     "mote: t:2:70: network-interfaces[0].fd: is for backend \"fd\" only\n"
     "mote: t:3:9: network-interfaces[0].user: is for backend \"user\" "
     "only\n"},
    {"'network-interfaces': [{'iface_id': 'a', 'backend': 'user', "
     "'queue_pairs': 2}]",
     "mote: t:2:76: network-interfaces[0].queue_pairs: 2 pairs: backend "
     "\"tap\" only has more than one\n"},
    {"'network-interfaces': [{'iface_id': 'a', 'host_dev_name': 't', "
     "'guest_mac': '06:00:AC:10:00:02'},\n{'iface_id': 'a', 'host_dev_name': "
     "'t', 'guest_mac': '06:00:ac:10:00:02'}]",
     "mote: t:3:14: network-interfaces[1].iface_id: \"a\" is another "
     "interface's id\n"
     "mote: t:3:54: network-interfaces[1].guest_mac: 06:00:ac:10:00:02 is the "
     "MAC of a already\n"
     "mote: t:3:36: network-interfaces[1].host_dev_name: t is in use by a "
     "already\n"},
    {"'network-interfaces': [{'iface_id': 'a', 'backend': 'fd', 'fd': 7},\n"
     "{'iface_id': 'b', 'backend': 'fd', 'fd': 7}]",
     "mote: t:3:42: network-interfaces[1].fd: 7 is in use by a already\n"},
    {"'mmds-config': {'network_interfaces': ['a']}",
     "mote: t:2:16: mmds-config: metadata are served on a network interface, "
     "and there is none: add --net, or network-interfaces\n"},
    {"'network-interfaces': [{'iface_id': 'a', 'host_dev_name': 't'}],\n"
     "'mmds-config': {'network_interfaces': ['a', 'b'], 'metadata_path': "
     "'disk'}",
     "mote: t:3:39: mmds-config.network_interfaces: \"b\" is no interface's "
     "iface_id\n"
     "mote: t:3:68: mmds-config.metadata_path: disk: line 1, column 1: not "
     "JSON: invalid token near 'x'\n"},
    {"'network-interfaces': [{'iface_id': 'a', 'host_dev_name': 't'}],\n"
     "'mmds-config': {'metadata_path': 'nope'}",
     "mote: t:3:34: mmds-config.metadata_path: nope: No such file or directory "
     "(ENOENT)\n"},
    {"'network-interfaces': [{'iface_id': 'a', 'host_dev_name': 't'}],\n"
     "'mmds-config': {'metadata_path': 'data', 'size_limit': 6}",
     "mote: t:3:34: mmds-config.metadata_path: data: 7 bytes as compact JSON; "
     "6 are allowed, or what --mmds-size-limit or size_limit says\n"},
    {"'network-interfaces': [{'iface_id': 'a', 'host_dev_name': 't'}],\n"
     "'mmds-config': {'metadata_path': 'data', 'size_limit': 7}",
     NULL},
    {"'network-interfaces': [{'iface_id': 'a', 'host_dev_name': 't'}],\n"
     "'mmds-config': {'metadata_path': 'data'}, 'logger': {'log_path': "
     "'data'}",
     "mote: t:3:34: mmds-config.metadata_path: data is the log already\n"},
    {"'console': {'mode': 'unix', 'path': 's'}",
     "mote: t:2:21: console.mode: \"unix\" is for \"device\": \"virtio\" only; "
     "the serial port takes no clients\n"},
    {"'console': {'mode': 'unix', 'path': 's', 'device': 'virtio'}", NULL},
    {"'console': {'mode': 'unix', 'device': 'virtio'}",
     "mote: t:2:21: console.mode: \"unix\" needs a path\n"},
    {"'ports': [{'name': 'p', 'mode': 'file'}]",
     "mote: t:2:33: ports[0].mode: \"file\" needs a path\n"},
    {"'ports': [{'name': 'p', 'mode': 'off', 'path': 'x'}]",
     "mote: t:2:48: ports[0].path: a path is for modes \"file\" and \"unix\" "
     "only\n"},
    {"'ports': [{'name': 'p', 'mode': 'stdio'}]",
     "mote: t:2:33: ports[0].mode: stdio is the console's already; give that "
     "another mode\n"},
    {"'console': {'mode': 'off'}, 'ports': [{'name': 'p', 'mode': 'stdio'},\n"
     "{'name': 'p', 'mode': 'stdio'}]",
     "mote: t:3:10: ports[1].name: \"p\" is another port's name\n"
     "mote: t:3:23: ports[1].mode: stdio is port p's already\n"},
    {"'ports': [{'name': 'p', 'mode': 'file', 'path': 'f'},\n{'name': 'q', "
     "'mode': 'file', 'path': 'f'}]",
     "mote: t:3:39: ports[1].path: f is the file of port p already\n"},
};

START_TEST(test_rules)
{
    const struct device_case *t = &rule_cases[_i];
    const char *text = text_of(t->blocks);
    char dir[] = "/tmp/mote-test-XXXXXX";
    struct config c;
    int r;

    ck_assert_ptr_nonnull(mkdtemp(dir));
    ck_assert_int_eq(chdir(dir), 0);
    write_file("kernel", "x");
    write_file("disk", "x");
    write_file("empty", "");
    write_file("data", "{ \"a\": 1 }");
    ck_assert_int_eq(config_rig_parse(&c, text), 0);
    r = config_check(&c);
    unlink("data");
    unlink("kernel");
    unlink("disk");
    unlink("empty");
    rmdir(dir);
    ck_assert_str_eq(capture_text, t->want ? t->want : "");
    ck_assert_int_eq(r, t->want ? -EINVAL : 0);
    config_fini(&c);
}
END_TEST

/* So many interfaces beside a drive, an entropy source and a console. */
static int check_many(unsigned int nets)
{
    char blocks[4096] = "'drives': [" DRIVE(
        "a", "/proc/self/exe",
        ", 'is_read_only': true") "], 'entropy': {}, "
                                  "'console': {'device': 'virtio'}, "
                                  "'network-interfaces': [";
    const char *text;
    struct config c;
    int r;

    for (unsigned int i = 0; i < nets; i++)
        snprintf(blocks + strlen(blocks), sizeof(blocks) - strlen(blocks),
                 "%s{'iface_id': 'n%u', 'host_dev_name': 't%u'}", i ? "," : "",
                 i, i);
    strcat(blocks, "]");
    text = text_of(blocks);
    r = config_rig_parse(&c, text);
    free(c.boot.kernel);
    c.boot.kernel = strdup("/proc/self/exe");
    if (r == 0)
        r = config_check(&c);
    config_fini(&c);
    return r;
}

START_TEST(test_count)
{
    capture_start();
    ck_assert_int_eq(check_many(16), 0);
    ck_assert_str_eq(capture_text, "");
    ck_assert_int_eq(check_many(17), -EINVAL);
    ck_assert_str_eq(capture_text,
                     "mote: 20 virtio devices (1 drives, 17 network "
                     "interfaces, 1 entropy, 1 console); 19 are possible\n");
    capture_start();
    ck_assert_int_eq(check_many(20), -EINVAL);
    ck_assert_ptr_nonnull(strstr(capture_text, "[19]: one too many; 19 are "));
}
END_TEST

#define LIMITS                                                                 \
    "{'bandwidth': {'size': 1, 'refill_time': 2, 'one_time_burst': 3}, "       \
    "'ops': {'size': 4, 'refill_time': 5, 'one_time_burst': 6}}"

/* Every key of as many devices as the arrays hold: each has an origin. */
START_TEST(test_full)
{
    size_t max = 64 * KIB;
    char *text = malloc(max);
    struct config c;
    FILE *f = fmemopen(text, max, "w");

    fprintf(f, "{'drives': [");
    for (unsigned int i = 0; i < CONFIG_DEVICE_MAX; i++)
        fprintf(f,
                "%s{'drive_id': 'd', 'path_on_host': 'p', 'is_root_device': "
                "true, 'is_read_only': true, 'partuuid': '1', 'cache_type': "
                "'Unsafe', 'io_engine': 'Sync', 'on_error': 'stop', 'direct': "
                "true, 'overlay': {'path': 'o', 'quota_mib': 1, 'on_exit': "
                "'keep'}, 'rate_limiter': " LIMITS "}",
                i ? "," : "");
    fprintf(f, "], 'network-interfaces': [");
    for (unsigned int i = 0; i < CONFIG_DEVICE_MAX; i++)
        fprintf(f,
                "%s{'iface_id': 'n', 'host_dev_name': 't', 'guest_mac': "
                "'06:00:ac:10:00:02', 'mtu': 1500, 'backend': 'tap', 'fd': 3, "
                "'queue_pairs': 1, 'user': {'program': 'p', 'address': "
                "'1.1.1.1', 'gateway': '1.1.1.1', 'dns': '1.1.1.1'}, "
                "'rx_rate_limiter': " LIMITS ", 'tx_rate_limiter': " LIMITS "}",
                i ? "," : "");
    fprintf(f, "], 'entropy': {'rate_limiter': " LIMITS "}, 'ports': [");
    for (unsigned int i = 0; i < CONFIG_PORT_MAX; i++)
        fprintf(f, "%s{'name': 'p', 'mode': 'file', 'path': 'x'}",
                i ? "," : "");
    fprintf(f, "]}");
    fclose(f);
    for (char *s = text; *s; s++)
        if (*s == '\'')
            *s = '"';
    ck_assert_int_eq(config_rig_parse(&c, text), 0);
    ck_assert_str_eq(capture_text, "");
    ck_assert_int_eq(config_check(&c), -EINVAL);
    config_fini(&c);
    free(text);
}
END_TEST

/* The root drive, the file's, the options'. */
START_TEST(test_order)
{
    static const char *const want[] = {"root", "file1", "file2", "option"};
    const char *text = text_of("'drives': [" DRIVE("file1", "x", "") "," DRIVE(
        "file2", "x", "") ",{'drive_id': 'root', 'path_on_host': 'x', "
                          "'is_root_device': true}]");
    struct config c;

    ck_assert_int_eq(config_init(&c), 0);
    c.nr_drives = c.option_drives = 1;
    c.drive[0].id = strdup("option");
    ck_assert_int_eq(config_parse(&c, "t", text, strlen(text)), 0);
    ck_assert_uint_eq(c.nr_drives, ARRAY_SIZE(want));
    for (unsigned int i = 0; i < ARRAY_SIZE(want); i++)
        ck_assert_str_eq(config_drive(&c, i)->id, want[i]);
    ck_assert_ptr_null(config_drive(&c, ARRAY_SIZE(want)));
    config_fini(&c);
}
END_TEST

Suite *suite_config_devices(void);
Suite *suite_config_devices(void)
{
    Suite *s = suite_create("config_devices");
    TCase *tc = tcase_create("config_devices");

    tcase_add_loop_test(tc, test_keys, 0, ARRAY_SIZE(key_cases));
    tcase_add_test(tc, test_values);
    tcase_add_loop_test(tc, test_rules, 0, ARRAY_SIZE(rule_cases));
    tcase_add_test(tc, test_count);
    tcase_add_test(tc, test_full);
    tcase_add_test(tc, test_order);
    suite_add_tcase(s, tc);
    return s;
}
