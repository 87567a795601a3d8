/* SPDX-License-Identifier: Apache-2.0 */
/* keyring.c: "[client.admin]", "key = AQB..." */
#include <string.h>

#include "keyring.h"

#define KEYRING_BLANK " \t\r"

static char *keyring_strip(char *s)
{
    s += strspn(s, KEYRING_BLANK);
    for (size_t n = strlen(s); n > 0 && strchr(KEYRING_BLANK, s[n - 1]); n--)
        s[n - 1] = '\0';
    return s;
}

/* "client.USER]" is what stands behind a section's bracket. */
static bool keyring_is_section(const char *s, const char *user)
{
    static const char type[] = "client.";
    size_t n = strlen(user);

    return strncmp(s, type, sizeof(type) - 1) == 0 &&
           strncmp(s + sizeof(type) - 1, user, n) == 0 &&
           strcmp(s + sizeof(type) - 1 + n, "]") == 0;
}

/* The value if this line is "key = value". */
static char *keyring_value(char *line)
{
    char *equal = strchr(line, '=');

    if (!equal)
        return NULL;
    *equal = '\0';
    return strcmp(keyring_strip(line), "key") == 0 ? keyring_strip(equal + 1)
                                                   : NULL;
}

char *keyring_find(char *text, const char *user)
{
    char *save, *line, *key, *only = NULL;
    bool sections = false, wanted = false;

    for (line = strtok_r(text, "\n", &save); line;
         line = strtok_r(NULL, "\n", &save)) {
        line = keyring_strip(line);
        if (line[0] == '\0' || line[0] == '#' || line[0] == ';')
            continue;
        if (line[0] == '[') {
            sections = true;
            wanted = keyring_is_section(line + 1, user);
        } else if (!sections) {
            only = line;
        } else if (wanted && (key = keyring_value(line)) != NULL) {
            return key;
        }
    }
    return sections ? NULL : only;
}
