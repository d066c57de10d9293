/* SPDX-License-Identifier: ISC */
#include "control/ctl_print.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <wchar.h>

enum { CELL_MAX = 400, GAP = 2 };

/* Decodes one character of valid UTF-8 (jansson gives no other); what is not, stands for itself. */
static uint32_t next_character(const unsigned char **at)
{
    const unsigned char *s = *at;
    size_t more = s[0] >= 0xf0 ? 3 : s[0] >= 0xe0 ? 2 : s[0] >= 0xc0 ? 1 : 0;
    uint32_t value = more == 0 ? s[0] : s[0] & (0x3fU >> more);
    size_t i = 1;
    for (; i <= more && (s[i] & 0xc0) == 0x80; i++)
        value = value << 6 | (s[i] & 0x3f);
    *at = s + i;
    return value;
}

static bool is_harmful(uint32_t c)
{
    return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0x061c || (c >= 0x200e && c <= 0x200f) ||
           (c >= 0x2028 && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069);
}

size_t ctl_print_text(FILE *out, const char *text, bool block)
{
    size_t columns = 0;
    const unsigned char *at = (const unsigned char *)text;
    while (*at != '\0') {
        const unsigned char *start = at;
        uint32_t c = next_character(&at);
        bool blank = c == '\n' || c == '\t';
        int width = is_harmful(c) ? 1 : wcwidth((wchar_t)c);
        columns += width >= 0 ? (size_t)width : 1;
        if (out == NULL)
            continue;
        if (blank)
            fputc(block ? (int)c : ' ', out);
        else if (is_harmful(c))
            fputs("\xef\xbf\xbd", out);
        else
            fwrite(start, 1, (size_t)(at - start), out);
    }
    return columns;
}

void ctl_file_name(char out[CTL_FILE_NAME], const char *name)
{
    const char *slash = strrchr(name, '/');
    const unsigned char *at = (const unsigned char *)(slash != NULL ? slash + 1 : name);
    size_t size = 0;
    while (*at != '\0') {
        const unsigned char *start = at;
        uint32_t c = next_character(&at);
        bool bad = is_harmful(c) || c == '\\' || (size == 0 && (c == '.' || c == '-'));
        size_t length = bad ? 1 : (size_t)(at - start);
        if (size + length >= CTL_FILE_NAME)
            break;
        memcpy(out + size, bad ? (const unsigned char *)"_" : start, length);
        size += length;
    }
    out[size] = '\0';
    if (size == 0)
        snprintf(out, CTL_FILE_NAME, "attachment");
}

/* The two largest units, rounded down. */
void ctl_duration(char *out, size_t size, int64_t ms)
{
    static const struct {
        int64_t seconds;
        const char *name;
    } units[] = {{86400, "d"}, {3600, "h"}, {60, "min"}, {1, "s"}};
    int64_t seconds = ms / 1000;
    size_t i = 0;
    while (i < 3 && seconds < units[i].seconds)
        i++;
    int64_t first = seconds / units[i].seconds;
    int64_t second = i < 3 ? seconds % units[i].seconds / units[i + 1].seconds : 0;
    /* A second unit says something only beside a small first one. */
    if (second > 0 && first < 10)
        snprintf(out, size, "%" PRId64 " %s %" PRId64 " %s", first, units[i].name, second, units[i + 1].name);
    else
        snprintf(out, size, "%" PRId64 " %s", first, units[i].name);
}

void ctl_relative_time(char *out, size_t size, int64_t time_ms, int64_t now_ms)
{
    char text[32];
    /* A wrong clock, or nonsense, is shown as far as it goes. */
    int64_t distance = time_ms > now_ms
                           ? (now_ms < 0 && time_ms > INT64_MAX + now_ms ? INT64_MAX : time_ms - now_ms)
                           : (time_ms < 0 && now_ms > INT64_MAX + time_ms ? INT64_MAX : now_ms - time_ms);
    if (time_ms == 0) {
        snprintf(out, size, "never");
    } else if (distance < 1000) {
        snprintf(out, size, "now");
    } else {
        ctl_duration(text, sizeof text, distance);
        snprintf(out, size, time_ms > now_ms ? "in %s" : "%s ago", text);
    }
}

void ctl_bytes(char *out, size_t size, int64_t bytes)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    size_t unit = 0;
    double value = (double)bytes;
    for (; value >= 1024 && unit < 4; unit++)
        value /= 1024;
    snprintf(out, size, unit == 0 ? "%.0f %s" : "%.1f %s", value, units[unit]);
}

static const json_t *member_of(const json_t *object, const char *path)
{
    char name[64];
    const char *dot = strchr(path, '.');
    if (dot == NULL)
        return json_object_get(object, path);
    size_t length = (size_t)(dot - path);
    if (length >= sizeof name)
        return NULL;
    memcpy(name, path, length);
    name[length] = '\0';
    return member_of(json_object_get(object, name), dot + 1);
}

static void write_plain(FILE *out, const json_t *value)
{
    size_t index = 0;
    const char *key = NULL;
    json_t *each = NULL;
    if (json_is_string(value)) {
        fputs(json_string_value(value), out);
    } else if (json_is_integer(value)) {
        fprintf(out, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
    } else if (json_is_real(value)) {
        fprintf(out, "%g", json_real_value(value));
    } else if (json_is_boolean(value)) {
        fputs(json_is_true(value) ? "yes" : "no", out);
    } else if (json_is_array(value)) {
        json_array_foreach(value, index, each)
        {
            fputs(index > 0 ? ", " : "", out);
            write_plain(out, each);
        }
    } else if (json_is_object(value)) {
        json_object_foreach((json_t *)value, key, each)
        {
            fputs(index++ > 0 ? ", " : "", out);
            for (const char *at = key; *at != '\0'; at++)
                fputc(*at == '_' ? ' ' : *at, out);
            fputc(' ', out);
            write_plain(out, each);
        }
    }
}

/* The text of a value, or "-" where there is none; not yet made harmless. Freed by the caller; NULL without
 * memory. */
static char *cell_text(const struct ctl *ctl, const json_t *value, enum ctl_format format)
{
    char *text = NULL, small[64];
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    if (out == NULL)
        return NULL;
    if (json_is_integer(value) && format != SHOW_TEXT) {
        json_int_t number = json_integer_value(value);
        if (format == SHOW_TIME)
            ctl_relative_time(small, sizeof small, number, ctl->now_ms);
        else if (format == SHOW_DURATION)
            ctl_duration(small, sizeof small, number);
        else if (format == SHOW_BYTES)
            ctl_bytes(small, sizeof small, number);
        else if ((format == SHOW_MICROSECONDS || format == SHOW_SECONDS) && number == 0)
            snprintf(small, sizeof small, "-");
        else if (format == SHOW_MICROSECONDS)
            snprintf(small, sizeof small, "%.1f ms", (double)number / 1000);
        else if (format == SHOW_SECONDS)
            ctl_duration(small, sizeof small, number * 1000);
        else if (number < 0)
            snprintf(small, sizeof small, "no limit");
        else
            snprintf(small, sizeof small, "%" JSON_INTEGER_FORMAT, number);
        fputs(small, out);
    } else {
        write_plain(out, value);
    }
    fclose(out);
    if (text != NULL && text[0] == '\0') {
        free(text);
        return strdup("-");
    }
    return text;
}

static void print_padded(FILE *out, const char *text, size_t width)
{
    size_t columns = ctl_print_text(out, text, false);
    for (; columns < width; columns++)
        fputc(' ', out);
}

static void print_table(const struct ctl *ctl, const struct ctl_layout *layout, const json_t *list)
{
    enum { COLUMNS = sizeof layout->columns / sizeof *layout->columns };
    size_t rows = json_array_size(list), columns = 0, widths[COLUMNS] = {0};
    while (columns < COLUMNS && layout->columns[columns].title != NULL)
        columns++;
    char **cells = calloc((rows + 1) * columns, sizeof *cells);
    if (cells == NULL)
        return;
    for (size_t column = 0; column < columns; column++) {
        const struct ctl_column *shown = &layout->columns[column];
        for (size_t row = 0; row <= rows; row++) {
            char *text = row == 0 ? strdup(shown->title)
                                  : cell_text(ctl, member_of(json_array_get(list, row - 1), shown->member),
                                              shown->format);
            cells[row * columns + column] = text;
            size_t width = text != NULL ? ctl_print_text(NULL, text, false) : 0;
            widths[column] = width > widths[column] ? width : widths[column];
        }
    }
    for (size_t row = 0; row <= rows; row++) {
        for (size_t column = 0; column < columns; column++) {
            char *text = cells[row * columns + column];
            bool last = column + 1 == columns;
            print_padded(ctl->out, text != NULL ? text : "", last ? 0 : widths[column] + GAP);
            free(text);
        }
        fputc('\n', ctl->out);
    }
    free(cells);
}

static void print_block(FILE *out, const char *title, const json_t *value)
{
    size_t index = 0;
    json_t *each = NULL;
    if (value == NULL || json_is_null(value) || (json_is_array(value) && json_array_size(value) == 0))
        return;
    fprintf(out, "\n%s:\n", title);
    if (json_is_array(value)) {
        json_array_foreach(value, index, each)
        {
            char *text = NULL;
            size_t size = 0;
            FILE *memory = open_memstream(&text, &size);
            if (memory == NULL)
                return;
            write_plain(memory, each);
            fclose(memory);
            fputs("  ", out);
            ctl_print_text(out, text, false);
            fputc('\n', out);
            free(text);
        }
    } else if (json_is_string(value)) {
        ctl_print_text(out, json_string_value(value), true);
        fputc('\n', out);
    }
}

static void print_object(const struct ctl *ctl, const struct ctl_layout *layout, const json_t *object)
{
    size_t width = 0;
    for (const struct ctl_column *column = layout->columns; column->title != NULL; column++)
        if (column->format != SHOW_BLOCK && strlen(column->title) > width)
            width = strlen(column->title);
    for (const struct ctl_column *column = layout->columns; column->title != NULL; column++) {
        const json_t *value = member_of(object, column->member);
        if (column->format == SHOW_BLOCK || value == NULL || json_is_null(value) ||
            (column->title[0] == '\0' && json_string_length(value) == 0))
            continue;
        char *text = cell_text(ctl, value, column->format);
        fprintf(ctl->out, "%-*s", (int)(width + GAP), column->title);
        ctl_print_text(ctl->out, text != NULL ? text : "", false);
        fputc('\n', ctl->out);
        free(text);
    }
    for (const struct ctl_column *column = layout->columns; column->title != NULL; column++)
        if (column->format == SHOW_BLOCK)
            print_block(ctl->out, column->title, member_of(object, column->member));
}

void ctl_print(const struct ctl *ctl, const struct ctl_layout *layout, const json_t *result)
{
    if (layout == NULL)
        return;
    const json_t *list = layout->list != NULL ? json_object_get(result, layout->list) : NULL;
    bool none = layout->list != NULL ? json_array_size(list) == 0 : json_object_size(result) == 0;
    if (none || layout->columns[0].title == NULL)
        fprintf(ctl->out, "%s\n", layout->empty != NULL ? layout->empty : "done");
    else if (layout->list != NULL)
        print_table(ctl, layout, list);
    else
        print_object(ctl, layout, result);
}

void ctl_print_line(const struct ctl *ctl, const json_t *line, const char *handle)
{
    const char *direction = json_string_value(json_object_get(line, "direction"));
    const char *text = json_string_value(json_object_get(line, "text"));
    const char *delivery = json_string_value(json_object_get(line, "delivery"));
    const char *reason = json_string_value(json_object_get(line, "reason"));
    char stamp[32] = "";
    struct tm when;
    time_t seconds = (time_t)(json_integer_value(json_object_get(line, "time")) / 1000);
    if (localtime_r(&seconds, &when) != NULL)
        strftime(stamp, sizeof stamp, "%Y-%m-%d %H:%M", &when);
    bool in = direction != NULL && strcmp(direction, "in") == 0,
         out = direction != NULL && strcmp(direction, "out") == 0;
    fprintf(ctl->out, "%6" JSON_INTEGER_FORMAT "  %s  ", json_integer_value(json_object_get(line, "seq")),
            stamp);
    if (in || out) {
        fputc('<', ctl->out);
        ctl_print_text(ctl->out, in ? handle : "me", false);
        fputs("> ", ctl->out);
    } else {
        fputs("* ", ctl->out);
    }
    ctl_print_text(ctl->out, text != NULL ? text : "", false);
    if (out && delivery != NULL && strcmp(delivery, "delivered") != 0) {
        fprintf(ctl->out, "  [%s", delivery);
        if (reason != NULL && reason[0] != '\0') {
            fputs(": ", ctl->out);
            ctl_print_text(ctl->out, reason, false);
        }
        fputc(']', ctl->out);
    }
    fputc('\n', ctl->out);
}
