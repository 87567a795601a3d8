/* SPDX-License-Identifier: Apache-2.0 */
/* words.c: small texts of the operator's: names, sizes, ids, near misses */
#include <ctype.h>
#include <stdio.h>
#include <strings.h>

#include "mote/config.h"

#define NEAR_MAX   64 /* longer words have no near miss worth naming */
#define NEAR_EDITS 2

/* Levenshtein distance, one row at a time; more than NEAR_MAX: far away. */
static unsigned int edit_distance(const char *a, const char *b)
{
    unsigned int row[NEAR_MAX + 1];
    size_t la = strlen(a), lb = strlen(b);

    if (la > NEAR_MAX || lb > NEAR_MAX)
        return NEAR_MAX;
    for (unsigned int j = 0; j <= lb; j++)
        row[j] = j;
    for (unsigned int i = 1; i <= la; i++) {
        unsigned int diagonal = row[0];

        row[0] = i;
        for (unsigned int j = 1; j <= lb; j++) {
            unsigned int change = diagonal + (a[i - 1] != b[j - 1]);
            unsigned int insert = MIN(row[j], row[j - 1]) + 1;

            diagonal = row[j];
            row[j] = MIN(change, insert);
        }
    }
    return row[lb];
}

const char *config_nearest(const char *word, const char *const *candidates,
                           size_t n)
{
    const char *best = NULL;
    unsigned int least = NEAR_EDITS + 1;

    for (size_t i = 0; i < n; i++) {
        unsigned int d = edit_distance(word, candidates[i]);

        /* "x" is not near "id": something of the word must be left. */
        if (d < least && d < strlen(word)) {
            least = d;
            best = candidates[i];
        }
    }
    return best;
}

static bool word_is(const struct config_words *words, const char *name,
                    const char *text)
{
    return words->any_case ? strcasecmp(name, text) == 0
                           : strcmp(name, text) == 0;
}

int config_find_word(const struct config_words *words, const char *text,
                     unsigned int *value, const char **near)
{
    const char *names[16] = {NULL};
    size_t n = 0;

    for (const struct config_word *w = words->list; w->name; w++) {
        if (word_is(words, w->name, text)) {
            *value = w->value;
            return w->value == CONFIG_WORD_LATER ? -ENOTSUP : 0;
        }
        if (w->value != CONFIG_WORD_LATER && n < ARRAY_SIZE(names))
            names[n++] = w->name;
    }
    *near = config_nearest(text, names, n);
    return -EINVAL;
}

void config_list_words(const struct config_words *words, char *buf, size_t len)
{
    size_t n = 0;

    buf[0] = '\0';
    for (const struct config_word *w = words->list; w->name && n < len; w++)
        if (w->value != CONFIG_WORD_LATER)
            n += (size_t)snprintf(buf + n, len - n, "%s%s", n ? ", " : "",
                                  w->name);
}

/* The unit's factor; 0 if it is none. "K", "KiB", and so on, in any case. */
static u64 size_unit(const char *unit)
{
    static const char letters[] = "kmgt";
    const char *letter;

    if (!*unit)
        return 1;
    letter = strchr(letters, tolower((unsigned char)*unit));
    if (!letter || (unit[1] && strcasecmp(unit + 1, "ib") != 0))
        return 0;
    return 1ull << (10 * (letter - letters + 1));
}

int config_parse_size(const char *text, u64 *bytes)
{
    u64 n = 0, unit;
    const char *p = text;

    for (; *p >= '0' && *p <= '9'; p++) {
        if (__builtin_mul_overflow(n, 10, &n) ||
            __builtin_add_overflow(n, (u64)(*p - '0'), &n))
            return -ERANGE;
    }
    unit = size_unit(p);
    if (p == text || unit == 0)
        return -EINVAL;
    if (__builtin_mul_overflow(n, unit, &n))
        return -ERANGE;
    if (!*p && n < MIB)
        return -EINVAL;
    *bytes = n;
    return 0;
}

/* The unit in milliseconds; 0 if it is none. */
static u64 time_unit(const char *unit)
{
    static const struct {
        const char *name;
        u64 ms;
    } units[] = {{"", 1000},   {"ms", 1},      {"s", 1000},
                 {"m", 60000}, {"h", 3600000}, {"d", 86400000}};

    for (size_t i = 0; i < ARRAY_SIZE(units); i++)
        if (strcmp(unit, units[i].name) == 0)
            return units[i].ms;
    return 0;
}

int config_parse_time(const char *text, unsigned int *ms)
{
    size_t whole = strspn(text, "0123456789");
    size_t part =
        text[whole] == '.' ? strspn(text + whole + 1, "0123456789") : 0;
    const char *end = text + whole + (part ? part + 1 : 0);
    u64 unit = time_unit(end), n = 0, value = 0;

    if (whole == 0 || unit == 0)
        return -EINVAL;
    if (whole > 9 || part > 3)
        return -ERANGE;
    for (size_t i = 0; i < whole; i++)
        n = n * 10 + (u64)(text[i] - '0');
    value = n * unit;
    for (size_t i = 1; i <= part; i++) {
        unit /= 10; /* what is below a millisecond is not looked at */
        value += (u64)(text[whole + i] - '0') * unit;
    }
    if (value == 0 || value > CONFIG_TIME_MAX_MS)
        return -ERANGE;
    *ms = (unsigned int)value;
    return 0;
}
