/* SPDX-License-Identifier: BSD-3-Clause */
/* The lines of `stats settings`, from the table, with memcached's names. */
#include "src/options.h"

#include "src/base/invariant.h"
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
                     const void *field, const char *absent)
{
    const char *text;

    if (spec->kind == OPTION_KIND_LIST) {
        put_list(out, spec->setting, field);
        return;
    }
    text = *(const char *const *)field;
    out->put(out, spec->setting, text != NULL ? text : absent);
}

static void put_bool(struct stats_out *out, const char *name, bool value)
{
    out->put(out, name, value ? "yes" : "no");
}

/* ---- numbers that are shown as something else ---- */

static const char *const protocols[] = {
    [OPTION_PROTOCOL_AUTO] = "auto-negotiate",
    [OPTION_PROTOCOL_ASCII] = "ascii",
    [OPTION_PROTOCOL_BINARY] = "binary",
};

/* memcached shows OpenSSL's flags. */
static const char *const verify_modes[] = {"0", "1", "3", "7"};

static const char *const tls_versions[] = {
    "tlsv1.0",
    "tlsv1.1",
    "tlsv1.2",
    "tlsv1.3",
};

static const char *const ack_modes[] = {
    [OPTION_ACK_ASYNC] = "async",
    [OPTION_ACK_RECEIVED] = "received",
    [OPTION_ACK_APPLIED] = "applied",
};

static void put_word(struct stats_out *out, const char *name, int64_t index,
                     const char *const words[], size_t count)
{
    INVARIANT(index >= 0);
    INVARIANT((size_t)index < count);
    out->put(out, name, words[index]);
}

#define PUT_WORD(out, name, field, words) \
    put_word(out, name, *(const int64_t *)(field), words, COUNT_OF(words))

static void put_growth(struct stats_out *out, const char *name, double growth)
{
    stats_put(out, name, "%.2f", growth > 0 ? growth : OPTIONS_GROWTH_DEFAULT);
}

static void put_number(struct stats_out *out, const struct option_spec *spec,
                       int64_t value)
{
    const char *name = spec->setting;

    if (spec->show == OPTION_SHOW_KIB)
        stats_put_i64(out, name, value * (int64_t)KIB);
    else if (spec->show == OPTION_SHOW_MIB)
        stats_put_i64(out, name, value * (int64_t)MIB);
    else if (spec->show == OPTION_SHOW_OCTAL)
        stats_put(out, name, "%llo", (unsigned long long)value);
    else if (spec->show == OPTION_SHOW_CHARACTER)
        stats_put(out, name, "%c", (char)value);
    else if (spec->show == OPTION_SHOW_NUMBER_OR_NULL && value == 0)
        out->put(out, name, "(null)");
    else
        stats_put_i64(out, name, value);
}

static void put_option(struct stats_out *out, const struct option_spec *spec,
                       const void *field)
{
    const char *name = spec->setting;

    switch (spec->show) {
    case OPTION_SHOW_NOTHING:
        break;
    case OPTION_SHOW_NUMBER:
    case OPTION_SHOW_NUMBER_OR_NULL:
    case OPTION_SHOW_KIB:
    case OPTION_SHOW_MIB:
    case OPTION_SHOW_OCTAL:
    case OPTION_SHOW_CHARACTER:
        put_number(out, spec, *(const int64_t *)field);
        break;
    case OPTION_SHOW_DECIMAL2:
        stats_put(out, name, "%.2f", *(const double *)field);
        break;
    case OPTION_SHOW_DECIMAL3:
        stats_put(out, name, "%.3f", *(const double *)field);
        break;
    case OPTION_SHOW_GROWTH:
        put_growth(out, name, *(const double *)field);
        break;
    case OPTION_SHOW_TEXT:
        put_text(out, spec, field, "NULL");
        break;
    case OPTION_SHOW_TEXT_IN_PARENTHESES:
        put_text(out, spec, field, "(null)");
        break;
    case OPTION_SHOW_GIVEN:
        put_bool(out, name, *(const char *const *)field != NULL);
        break;
    case OPTION_SHOW_YES_NO:
        put_bool(out, name, *(const bool *)field);
        break;
    case OPTION_SHOW_NO_YES:
        put_bool(out, name, !*(const bool *)field);
        break;
    case OPTION_SHOW_OFF_ON:
        out->put(out, name, *(const bool *)field ? "off" : "on");
        break;
    case OPTION_SHOW_PROTOCOL:
        PUT_WORD(out, name, field, protocols);
        break;
    case OPTION_SHOW_VERIFY_MODE:
        PUT_WORD(out, name, field, verify_modes);
        break;
    case OPTION_SHOW_TLS_VERSION:
        PUT_WORD(out, name, field, tls_versions);
        break;
    case OPTION_SHOW_ACK_MODE:
        PUT_WORD(out, name, field, ack_modes);
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
