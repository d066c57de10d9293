/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_WEB_PAGES_H
#define RETROGATE_WEB_PAGES_H

#include "base/buffer.h"
#include "base/error.h"

/* The files of web/, compiled in. */
enum { PAGE_MAX = 1 << 20, PAGE_HASH_SIZE = 33 };

struct page {
    const char *path; /* as it is asked for: "/app.css" */
    const char *hash; /* of the contents, hex */
    const uint8_t *plain;
    size_t plain_size;
    const uint8_t *packed; /* gzip */
    size_t packed_size;    /* 0: packing does not pay */
};

const struct page *page_find(const char *path); /* "/" is index.html; NULL: there is none */
const char *page_type(const struct page *page); /* the media type, by the name's end */
/* The present contents of the page's file below `folder`, and their hash. Only names that are compiled in
 * come here, so nothing else of the folder can be asked for. */
bool page_read(struct buffer *out, char hash[PAGE_HASH_SIZE], const struct page *page, const char *folder,
               struct error **error);

#endif
