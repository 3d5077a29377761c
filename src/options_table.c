/* SPDX-License-Identifier: BSD-3-Clause */
/* options.def as data. */
#include "src/options.h"
#include "src/server/server.h"

#include "src/base/invariant.h"

const struct option_spec option_specs[] = {
#define OPTION(kind_, field, letter_, name_, metavar_, value_, min_, max_, \
               group_, setting_, show_, help_) \
    {.kind = OPTION_KIND_##kind_, \
     .id = OPTION_ID_##field, \
     .offset = offsetof(struct options, field), \
     .letter = (letter_), \
     .name = (name_), \
     .metavar = (metavar_), \
     .value = (value_), \
     .min = (min_), \
     .max = (max_), \
     .group = OPTION_GROUP_##group_, \
     .setting = (setting_), \
     .show = OPTION_SHOW_##show_, \
     .help = (help_)},
#define SUBOPTION(kind, field, name, metavar, value, min, max, group, setting, \
                  show, help) \
    OPTION(kind, field, '\0', name, metavar, value, min, max, group, setting, \
           show, help)
#define SETTING(kind, field, value, setting, show) \
    OPTION(kind, field, '\0', "", NULL, value, 0, 0, NONE, setting, show, "")
#define FIXED(setting_, text) \
    {.kind = OPTION_KIND_FIXED, \
     .name = "", \
     .group = OPTION_GROUP_NONE, \
     .setting = (setting_), \
     .help = (text)},
#include "src/options.def"
#undef OPTION
#undef SUBOPTION
#undef SETTING
#undef FIXED
};

const size_t option_spec_count = COUNT_OF(option_specs);

/* A default outside its own range does not compile. */
#define OPTION(kind, field, letter, name, metavar, value, min, max, ...) \
    _Static_assert((value) == 0 || ((min) <= (value) && (value) <= (max)), \
                   "default of " #field);
#define SUBOPTION(kind, field, name, metavar, value, min, max, ...) \
    OPTION(kind, field, '\0', name, metavar, value, min, max, )
#define SETTING(kind, field, ...)
#define FIXED(setting, text)
#include "src/options.def"
#undef OPTION
#undef SUBOPTION
#undef SETTING
#undef FIXED

bool option_is_given(const struct option_spec *spec)
{
    return spec->group != OPTION_GROUP_NONE;
}

bool option_is_sub(const struct option_spec *spec)
{
    return option_is_given(spec) && spec->group >= OPTION_GROUP_SUB_CLIENTS;
}

static bool is_number(const struct option_spec *spec)
{
    return spec->kind == OPTION_KIND_NUMBER || spec->kind == OPTION_KIND_SIZE ||
           spec->kind == OPTION_KIND_LEVEL;
}

/* That a flag or a switch is off is not worth the words. */
void option_default(const struct option_spec *spec, char text[OPTION_NAME_MAX])
{
    text[0] = '\0';
    if (spec->value == 0 || spec->value < spec->min)
        return;
    if (is_number(spec))
        (void)snprintf(text, OPTION_NAME_MAX, "%lld", (long long)spec->value);
    else if (spec->kind == OPTION_KIND_DECIMAL)
        (void)snprintf(text, OPTION_NAME_MAX, "%g", (double)spec->value / 1000);
    else if (spec->kind == OPTION_KIND_OCTAL)
        (void)snprintf(text, OPTION_NAME_MAX, "%llo",
                       (unsigned long long)spec->value);
    else if (spec->kind == OPTION_KIND_CHARACTER)
        (void)snprintf(text, OPTION_NAME_MAX, "%c", (char)spec->value);
    else if (spec->kind == OPTION_KIND_SWITCH)
        (void)snprintf(text, OPTION_NAME_MAX, "on");
}

static void set_default(struct options *options, const struct option_spec *spec)
{
    void *field = (char *)options + spec->offset;

    switch (spec->kind) {
    case OPTION_KIND_FLAG:
    case OPTION_KIND_SWITCH:
        *(bool *)field = spec->value != 0;
        break;
    case OPTION_KIND_LEVEL:
    case OPTION_KIND_CHOICE:
    case OPTION_KIND_OCTAL:
    case OPTION_KIND_CHARACTER:
    case OPTION_KIND_NUMBER:
    case OPTION_KIND_SIZE:
        *(int64_t *)field = spec->value;
        break;
    case OPTION_KIND_DECIMAL:
        *(double *)field = (double)spec->value / 1000;
        break;
    case OPTION_KIND_ANY:
    case OPTION_KIND_COUNT:
    case OPTION_KIND_TEXT:
    case OPTION_KIND_LIST:
    case OPTION_KIND_EXTENDED:
    case OPTION_KIND_FIXED:
        break;
    }
}

void options_set_defaults(struct options *options)
{
    *options = (struct options){0};
    for (size_t i = 0; i < option_spec_count; i++)
        set_default(options, &option_specs[i]);
}
