/* SPDX-License-Identifier: Apache-2.0 */
/* The unit tests' runner: every suite of tests/unit, in one Check run.
 * MOTE_FILTERS=1: threads that mote starts are filtered. */
#include <check.h>
#include <stdlib.h>

#include "mote/config.h"
#include "mote/filter.h"
#include "mote/log.h"

#define SUITE(name) Suite *suite_##name(void);
#include "suites.h"
#undef SUITE

int main(void)
{
    SRunner *sr = srunner_create(NULL);
    const struct log_config log = {.level = LOG_INFO};
    int failed;

    if (getenv("MOTE_FILTERS") &&
        (log_open(&log) < 0 || filter_init(FILTER_ENFORCE, -1) < 0))
        return EXIT_FAILURE;
#define SUITE(name) srunner_add_suite(sr, suite_##name());
#include "suites.h"
#undef SUITE
    srunner_run_all(sr, CK_ENV);
    failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
