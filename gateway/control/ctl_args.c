/* SPDX-License-Identifier: ISC */
#include "control/ctl_args.h"

#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "control/ctl_input.h"

static const char *kind_word(enum ctl_kind kind)
{
    static const char *const words[] = {
        [CTL_TEXT] = "TEXT",    [CTL_DOCUMENT] = "TEXT|@FILE|-", [CTL_SECRET] = "FILE|-",
        [CTL_PICTURE] = "FILE", [CTL_NUMBER] = "NUMBER",         [CTL_REFERENCE] = "NAME|ID",
        [CTL_SECONDS] = "TIME", [CTL_ON_OFF] = "on|off",         [CTL_LIST] = "TEXT",
    };
    return kind < sizeof words / sizeof *words && words[kind] != NULL ? words[kind] : "TEXT";
}

/* How many words of the arguments name the verb; 0 when they do not. */
static size_t match(const char *words, int argc, char **argv)
{
    size_t count = 0;
    while (*words != '\0') {
        size_t length = strcspn(words, " ");
        if (count >= (size_t)argc || strlen(argv[count]) != length ||
            strncmp(argv[count], words, length) != 0)
            return 0;
        count++;
        words += length + (words[length] == ' ');
    }
    return count;
}

static const struct ctl_verb *find_verb(int argc, char **argv, size_t *words)
{
    const struct ctl_verb *found = NULL;
    *words = 0;
    for (size_t i = 0; i < ctl_verbs_count; i++) {
        size_t count = match(ctl_verbs[i].words, argc, argv);
        if (count > *words) {
            *words = count;
            found = &ctl_verbs[i];
        }
    }
    return found;
}

static bool is_option(const struct ctl_param *param)
{
    return param->name[0] == '-';
}

static const struct ctl_param *find_option(const struct ctl_verb *verb, const char *text, size_t length)
{
    for (const struct ctl_param *param = verb->params; param->kind != CTL_NOTHING; param++)
        if (is_option(param) && strlen(param->name) == length && strncmp(param->name, text, length) == 0)
            return param;
    return NULL;
}

static bool read_number(const char *text, json_int_t *out)
{
    char *end = NULL;
    *out = strtoll(text, &end, 10);
    return end != text && *end == '\0' && strlen(text) < 19;
}

static bool read_seconds(const char *text, json_int_t *out)
{
    static const struct {
        const char *unit;
        json_int_t seconds;
    } units[] = {{"", 1}, {"s", 1}, {"m", 60}, {"h", 3600}, {"d", 86400}, {"w", 7 * 86400}};
    char *end = NULL;
    json_int_t value = strtoll(text, &end, 10);
    if (end == text || value <= 0 || value > 1000000000)
        return false;
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (strcmp(end, units[i].unit) == 0) {
            *out = value * units[i].seconds;
            return true;
        }
    return false;
}

/* The value of a parameter as the command has it; NULL with an error. */
static json_t *value_of(struct ctl *ctl, const struct ctl_param *param, const char *text,
                        struct error **error)
{
    json_int_t number = 0;
    switch (param->kind) {
    case CTL_NUMBER:
        if (read_number(text, &number))
            return json_integer(number);
        error_set(error, ERROR_INVALID, "%s is a number", param->name);
        return NULL;
    case CTL_SECONDS:
        if (read_seconds(text, &number))
            return json_integer(number);
        error_set(error, ERROR_INVALID, "%s is a time like 90s, 15m, 24h or 7d", param->name);
        return NULL;
    case CTL_REFERENCE:
        return strspn(text, "0123456789") == strlen(text) && read_number(text, &number) ? json_integer(number)
                                                                                        : json_string(text);
    case CTL_ON_OFF:
        if (strcmp(text, "on") == 0 || strcmp(text, "off") == 0)
            return json_boolean(strcmp(text, "on") == 0);
        error_set(error, ERROR_INVALID, "%s is on or off", param->name);
        return NULL;
    case CTL_DOCUMENT:
    case CTL_SECRET:
    case CTL_PICTURE:
        return ctl_input_value(ctl, param->kind, text, error);
    default:
        return json_string(text); /* NULL when it is not UTF-8 */
    }
}

static bool set(struct ctl *ctl, struct ctl_args *args, const struct ctl_param *param, const char *text,
                struct error **error)
{
    json_t *into = param->member[0] == '.' ? args->options : args->command;
    json_t *value = param->kind == CTL_SWITCH ? json_true() : value_of(ctl, param, text, error);
    if (value == NULL)
        return error_set(error, ERROR_INVALID, "%s is not UTF-8", param->name);
    if (param->kind == CTL_LIST) {
        json_t *list = json_object_get(into, param->member);
        if (list == NULL)
            json_object_set_new(into, param->member, list = json_array());
        return json_array_append_new(list, value) == 0;
    }
    if (json_object_get(into, param->member) != NULL) {
        json_decref(value);
        return error_set(error, ERROR_INVALID, "%s is given twice", param->name);
    }
    return json_object_set_new(into, param->member, value) == 0;
}

/* Options that every verb has. Returns false when it is another one; *taken tells how many arguments it was.
 */
static bool common_option(struct ctl *ctl, struct ctl_args *args, int argc, char **argv, int *taken,
                          struct error **error)
{
    const struct {
        const char *name;
        const char **value;
    } options[] = {{"--account", &ctl->account}, {"--socket", &ctl->socket}};
    *taken = 1;
    if (strcmp(argv[0], "--json") == 0)
        return ctl->json = true;
    if (strcmp(argv[0], "--help") == 0 || strcmp(argv[0], "-h") == 0)
        return args->help = true;
    for (size_t i = 0; i < 2; i++) {
        size_t length = strlen(options[i].name);
        if (strncmp(argv[0], options[i].name, length) != 0 ||
            (argv[0][length] != '\0' && argv[0][length] != '='))
            continue;
        *options[i].value = argv[0][length] == '=' ? argv[0] + length + 1 : argc > 1 ? argv[1] : NULL;
        *taken = argv[0][length] == '=' ? 1 : 2;
        if (*options[i].value == NULL)
            error_set(error, ERROR_INVALID, "%s needs a value", options[i].name);
        return true;
    }
    return false;
}

static bool verb_option(struct ctl *ctl, struct ctl_args *args, int argc, char **argv, int *taken,
                        struct error **error)
{
    size_t length = strcspn(argv[0], "=");
    const struct ctl_param *param = find_option(args->verb, argv[0], length);
    *taken = 1;
    if (param == NULL)
        return error_set(error, ERROR_INVALID, "%s is not an option of '%s'", argv[0], args->verb->words);
    if (param->kind == CTL_SWITCH) {
        if (argv[0][length] == '=')
            return error_set(error, ERROR_INVALID, "%s takes no value", param->name);
        return set(ctl, args, param, "", error);
    }
    const char *text = argv[0][length] == '=' ? argv[0] + length + 1 : argc > 1 ? argv[1] : NULL;
    *taken = argv[0][length] == '=' ? 1 : 2;
    return text != NULL ? set(ctl, args, param, text, error)
                        : error_set(error, ERROR_INVALID, "%s needs a value", param->name);
}

/* The rest of the line as one text. */
static bool set_words(struct ctl *ctl, struct ctl_args *args, const struct ctl_param *param, int count,
                      char **words, struct error **error)
{
    struct buffer text = buffer_make(1 << 20);
    bool good = true;
    if (count == 1 && strcmp(words[0], "-") == 0) {
        json_t *value = ctl_input_value(ctl, CTL_WORDS, "-", error);
        return value != NULL && json_object_set_new(args->command, param->member, value) == 0;
    }
    for (int i = 0; i < count; i++) {
        buffer_append_string(&text, i > 0 ? " " : "");
        buffer_append_string(&text, words[i]);
    }
    const char *joined = text.failed ? NULL : buffer_string(&text);
    good = joined != NULL ? set(ctl, args, param, joined, error)
                          : error_set(error, ERROR_LIMIT, "%s is too long", param->name);
    buffer_free(&text);
    return good;
}

static bool set_positions(struct ctl *ctl, struct ctl_args *args, int count, char **texts,
                          struct error **error)
{
    int next = 0;
    for (const struct ctl_param *param = args->verb->params; param->kind != CTL_NOTHING; param++) {
        if (is_option(param))
            continue;
        if (next == count) {
            if (param->optional)
                continue;
            return error_set(error, ERROR_INVALID, "%s is missing", param->name);
        }
        bool words = param->kind == CTL_WORDS;
        if (words ? !set_words(ctl, args, param, count - next, texts + next, error)
                  : !set(ctl, args, param, texts[next], error))
            return false;
        next = words ? count : next + 1;
    }
    return next == count ||
           error_set(error, ERROR_INVALID, "'%s' is too much for '%s'", texts[next], args->verb->words);
}

static bool parse(struct ctl *ctl, int argc, char **argv, struct ctl_args *args, char **words,
                  struct error **error)
{
    int count = 0, i = 0, taken = 1;
    /* Common options may stand before the verb. */
    for (; i < argc && argv[i][0] == '-' && argv[i][1] != '\0'; i += taken)
        if (!common_option(ctl, args, argc - i, argv + i, &taken, error))
            return error_set(error, ERROR_INVALID, "%s is not an option", argv[i]);
    if (*error != NULL || i >= argc)
        return *error == NULL;
    size_t named = 0;
    args->verb = find_verb(argc - i, argv + i, &named);
    if (args->verb == NULL) {
        args->group = argv[i];
        for (int j = i; j < argc; j++)
            args->help = args->help || strcmp(argv[j], "--help") == 0;
        return args->help || error_set(error, ERROR_INVALID, "there is no verb '%s%s%s'", argv[i],
                                       i + 1 < argc ? " " : "", i + 1 < argc ? argv[i + 1] : "");
    }
    json_object_set_new(args->command, "do", json_string(args->verb->command));
    bool options = true;
    for (i += (int)named; i < argc; i += taken) {
        taken = 1;
        if (options && strcmp(argv[i], "--") == 0)
            options = false;
        else if (!options || argv[i][0] != '-' || argv[i][1] == '\0')
            words[count++] = argv[i];
        else if (!common_option(ctl, args, argc - i, argv + i, &taken, error) &&
                 !verb_option(ctl, args, argc - i, argv + i, &taken, error))
            return args->help;
        if (*error != NULL)
            return false;
    }
    return args->help || set_positions(ctl, args, count, words, error);
}

bool ctl_args_parse(struct ctl *ctl, int argc, char **argv, struct ctl_args *args, struct error **error)
{
    struct error *found = NULL;
    char **words = calloc((size_t)argc + 1, sizeof *words);
    *args = (struct ctl_args){.command = json_object(), .options = json_object()};
    bool good = words != NULL && parse(ctl, argc, argv, args, words, &found);
    free(words);
    if (!good && found == NULL)
        error_set(&found, ERROR_INTERNAL, "out of memory");
    if (!good)
        *error = found;
    return good;
}

void ctl_args_free(struct ctl_args *args)
{
    json_decref(args->command);
    json_decref(args->options);
}

void ctl_args_usage(FILE *out, const struct ctl_verb *verb)
{
    fprintf(out, "%s", verb->words);
    for (const struct ctl_param *param = verb->params; param->kind != CTL_NOTHING; param++) {
        const char *more = param->kind == CTL_WORDS ? "..." : "";
        if (!is_option(param))
            fprintf(out, param->optional ? " [%s%s]" : " %s%s", param->name, more);
        else if (param->kind == CTL_SWITCH)
            fprintf(out, " [%s]", param->name);
        else
            fprintf(out, " [%s %s]%s", param->name, kind_word(param->kind),
                    param->kind == CTL_LIST ? "..." : "");
    }
    fputc('\n', out);
}
