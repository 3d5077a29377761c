/* SPDX-License-Identifier: BSD-3-Clause */
/* The lines of `stats settings`, from the table, with memcached's names. */
#include "src/options.h"

#include "src/base/log.h"
#include "src/base/memory.h"

static const void *field_of(const struct options *options,
                            const struct option_spec *spec)
{
    return (const char *)options + spec->offset;
}

static void put_list(struct stats_out *out, const char *name,
                     const struct option_list *list)
{
    char text[STATS_VALUE_MAX];
    int used = 0;

    if (list->count == 0) {
        out->put(out, name, "NULL");
        return;
    }
    for (size_t i = 0; i < list->count && used < (int)sizeof(text); i++)
        used += snprintf(text + used, sizeof(text) - (size_t)used, "%s%s",
                         i > 0 ? "," : "", list->at[i]);
    out->put(out, name, text);
}

static void put_text(struct stats_out *out, const struct option_spec *spec,
                     const void *field)
{
    const char *text;

    if (spec->kind == OPTION_KIND_LIST) {
        put_list(out, spec->setting, field);
        return;
    }
    text = *(const char *const *)field;
    out->put(out, spec->setting, text != NULL ? text : "NULL");
}

static void put_growth(struct stats_out *out, const char *name, double growth)
{
    stats_put(out, name, "%.2f", growth > 0 ? growth : OPTIONS_GROWTH_DEFAULT);
}

static void put_option(struct stats_out *out, const struct option_spec *spec,
                       const void *field)
{
    const char *name = spec->setting;

    switch (spec->show) {
    case OPTION_SHOW_NOTHING:
        break;
    case OPTION_SHOW_NUMBER:
        stats_put_i64(out, name, *(const int64_t *)field);
        break;
    case OPTION_SHOW_MIB:
        stats_put_i64(out, name, *(const int64_t *)field * (int64_t)MIB);
        break;
    case OPTION_SHOW_GROWTH:
        put_growth(out, name, *(const double *)field);
        break;
    case OPTION_SHOW_TEXT:
        put_text(out, spec, field);
        break;
    case OPTION_SHOW_OFF_ON:
        out->put(out, name, *(const bool *)field ? "off" : "on");
        break;
    case OPTION_SHOW_NO_YES:
        out->put(out, name, *(const bool *)field ? "no" : "yes");
        break;
    case OPTION_SHOW_VERBOSITY:
        stats_put_i64(out, name, log_verbosity());
        break;
    }
}

void options_settings(const struct options *options, struct stats_out *out)
{
    for (size_t i = 0; i < option_spec_count; i++) {
        const struct option_spec *spec = &option_specs[i];

        if (spec->kind == OPTION_KIND_FIXED)
            out->put(out, spec->setting, spec->help);
        else if (spec->setting != NULL)
            put_option(out, spec, field_of(options, spec));
    }
}
