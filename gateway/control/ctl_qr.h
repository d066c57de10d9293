/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_CONTROL_CTL_QR_H
#define RETROGATE_CONTROL_CTL_QR_H

#include <stdio.h>

#include "base/error.h"

/* The text as a QR code of half blocks, two modules a character, with its quiet zone; light on a dark
 * background, and on a terminal with these colours set. An error when the text is too long for one (2953
 * bytes). */
bool ctl_qr_print(FILE *out, const char *text, struct error **error);

#endif
