/* SPDX-License-Identifier: Apache-2.0 */
/* net_count.c: what virtio-net counts, in the words of the metrics */
#include "net.h"

const char *const net_counters[NET_COUNTERS] = {
    [NET_RX_PACKETS] = "rx_packets_count",
    [NET_RX_BYTES] = "rx_bytes_count",
    [NET_RX_FAILS] = "rx_fails",
    [NET_RX_KICKS] = "rx_queue_event_count",
    [NET_RX_THROTTLED] = "rx_rate_limiter_throttled",
    [NET_RX_READY] = "rx_tap_event_count",
    [NET_TX_PACKETS] = "tx_packets_count",
    [NET_TX_BYTES] = "tx_bytes_count",
    [NET_TX_FAILS] = "tx_fails",
    [NET_TX_MALFORMED] = "tx_malformed_frames",
    [NET_TX_KICKS] = "tx_queue_event_count",
    [NET_TX_THROTTLED] = "tx_rate_limiter_throttled",
};
