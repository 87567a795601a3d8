/* SPDX-License-Identifier: Apache-2.0 */
/* init.c: PID 1 of a guest that runs one command: its steps, in order */
#include <sys/reboot.h>
#include <unistd.h>

int main(void)
{
    reboot(RB_POWER_OFF);
    for (;;)
        pause();
}
