/* SPDX-License-Identifier: ISC */
#include "store/fold.h"

#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <wctype.h>

#include "store/store.h"
#include "store/values.h"

enum {
    GROWTH = 2, /* a two-byte letter may have a three-byte counterpart */
    FOLD_LIMIT = STORE_TEXT_LIMIT * GROWTH,
};

struct finder {
    locale_t locale;
    struct buffer wanted, text; /* folded */
};

struct finder *finder_new(void)
{
    struct finder *finder = calloc(1, sizeof *finder);
    if (finder == NULL)
        return NULL;
    /* The process keeps its own locale. A C library without C.UTF-8 folds ASCII. */
    finder->locale = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
    if (finder->locale == (locale_t)0)
        finder->locale = newlocale(LC_CTYPE_MASK, "C", (locale_t)0);
    finder->wanted = buffer_make(FOLD_LIMIT);
    finder->text = buffer_make(FOLD_LIMIT);
    return finder;
}

void finder_free(struct finder *finder)
{
    if (finder == NULL)
        return;
    if (finder->locale != (locale_t)0)
        freelocale(finder->locale);
    buffer_free(&finder->wanted);
    buffer_free(&finder->text);
    free(finder);
}

static size_t encode(uint8_t *out, uint32_t point)
{
    if (point < 0x80) {
        out[0] = (uint8_t)point;
        return 1;
    }
    size_t more = point < 0x800 ? 1 : point < 0x10000 ? 2 : 3;
    static const uint8_t leads[] = {0, 0xc0, 0xe0, 0xf0};
    out[0] = (uint8_t)(leads[more] | point >> (6 * more));
    for (size_t i = 1; i <= more; i++)
        out[i] = (uint8_t)(0x80 | (point >> (6 * (more - i)) & 0x3f));
    return more + 1;
}

/* Up, then down, so that letters with two small forms (sigma, s) become one. */
static uint32_t fold_letter(const struct finder *finder, uint32_t point)
{
    if (finder->locale == (locale_t)0)
        return point;
    return (uint32_t)towlower_l(towupper_l((wint_t)point, finder->locale), finder->locale);
}

static bool fold(const struct finder *finder, struct buffer *into, struct bytes text)
{
    buffer_clear(into);
    uint8_t *out = buffer_reserve(into, text.size * GROWTH);
    if (out == NULL)
        return text.size == 0;
    size_t at = 0, made = 0;
    while (at < text.size) {
        uint8_t byte = text.data[at];
        if (byte < 0x80) {
            out[made++] = byte >= 'A' && byte <= 'Z' ? (uint8_t)(byte | 0x20) : byte;
            at++;
            continue;
        }
        uint32_t point;
        size_t size = utf8_sequence(text.data + at, text.size - at, &point);
        if (size == 0) {
            out[made++] = byte;
            at++;
            continue;
        }
        made += encode(out + made, fold_letter(finder, point));
        at += size;
    }
    buffer_commit(into, made);
    return true;
}

bool finder_set(struct finder *finder, struct bytes text)
{
    return fold(finder, &finder->wanted, text);
}

bool finder_in(struct finder *finder, struct bytes text, bool *failed)
{
    if (!fold(finder, &finder->text, text)) {
        *failed = true;
        return false;
    }
    struct bytes folded = buffer_view(&finder->text), wanted = buffer_view(&finder->wanted);
    return wanted.size > 0 && folded.size >= wanted.size &&
           memmem(folded.data, folded.size, wanted.data, wanted.size) != NULL;
}
