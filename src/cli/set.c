/* SPDX-License-Identifier: Apache-2.0 */
/* set.c: values of options into members of the configuration */
#include <stdlib.h>

#include "parts.h"

void cli_set_string(struct cli *cli, char **field, const char *option,
                    const char *value)
{
    free(*field);
    *field = strdup(value);
    if (!*field)
        cli_error(cli, "%s: no memory", option);
    config_set_option(cli->c, field, option);
}

void cli_set_path(struct cli *cli, char **field, const char *option,
                  const char *value)
{
    if (!*value)
        cli_error(cli, "%s: \"\" is empty", option);
    else
        cli_set_string(cli, field, option, value);
}

void cli_set_form(struct cli *cli, char **field, const char *option,
                  config_form_fn *form, const char *value)
{
    const char *wrong = form(value);

    if (wrong)
        cli_error(cli, "%s: \"%s\" %s", option, value, wrong);
    else
        cli_set_string(cli, field, option, value);
}

void cli_set_word(struct cli *cli, void *field, const char *option,
                  const struct config_words *words, const char *value)
{
    unsigned int *out = field, found;
    const char *near = NULL;
    char list[128];
    int r = config_find_word(words, value, &found, &near);

    config_set_option(cli->c, field, option);
    config_list_words(words, list, sizeof(list));
    if (r == 0)
        *out = found;
    else if (r == -ENOTSUP)
        cli_error(cli, "%s: \"%s\" is not supported yet; use %s", option, value,
                  list);
    else if (near)
        cli_error(cli, "%s: \"%s\" is not one of %s; did you mean \"%s\"?",
                  option, value, list, near);
    else
        cli_error(cli, "%s: \"%s\" is not one of %s", option, value, list);
}

void cli_set_number(struct cli *cli, unsigned int *field, const char *option,
                    unsigned int min, unsigned int max, const char *value)
{
    size_t digits = strspn(value, "0123456789");

    config_set_option(cli->c, field, option);
    if (digits == 0 || value[digits])
        cli_error(cli, "%s: \"%s\" is not a number", option, value);
    else if (digits > 9 || strtoul(value, NULL, 10) < min ||
             strtoul(value, NULL, 10) > max)
        cli_error(cli, "%s: %s is out of range %u..%u", option, value, min,
                  max);
    else
        *field = (unsigned int)strtoul(value, NULL, 10);
}
