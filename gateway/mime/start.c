/* SPDX-License-Identifier: ISC */
#include <gmime/gmime.h>
#include <libxml/parser.h>

#include "mime/mime.h"

bool mime_start(struct error **error)
{
    (void)error;
    g_mime_init();
    xmlInitParser();
    return true;
}
