/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_dhcp.c: an answer to the guest's DHCP client, and its orders */
#include <stdlib.h>

#include "fuzz.h"
#include "guest/dhcp.h"
#include "guest/orders.h"

static void fuzz_orders(const u8 *data, size_t len)
{
    char *text = malloc(len + 1);
    const char *bad = NULL;
    struct orders o;

    assert(text);
    memcpy(text, data, len);
    if (orders_parse(&o, text, len, &bad) == 0)
        assert(o.argc > 0 && o.argv[0] && !o.argv[o.argc]);
    else
        assert(!bad || (bad >= text && bad < text + len));
    free(o.argv);
    free(o.env);
    free(text);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t len)
{
    const struct dhcp_talk talk = {.xid = 0x01020304,
                                   .mac = {6, 0, 0xac, 0x10, 0, 2}};
    struct dhcp_lease l;

    fuzz_orders(data, len);
    if (dhcp_parse(data, len, &talk, &l) == 0)
        return 0;
    assert(memchr(l.domain, '\0', sizeof(l.domain)));
    assert(!strpbrk(l.domain, " \n;#"));
    return 0;
}
