/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_CORE_IMAGE_H
#define RETROGATE_CORE_IMAGE_H

#include "base/bytes.h"
#include "base/error.h"

enum { IMAGE_BYTES = 32767, IMAGE_SIDE = 4096 /* pixels */ };

/* Is this a picture that a browser may be given: PNG or JPEG by its first bytes, 1 to IMAGE_SIDE pixels wide
 * and high by its header, at most IMAGE_BYTES long? A few bytes can ask for gigabytes of pixels; a picture of
 * another kind, such as SVG, can hold a program. */
bool image_fits(struct bytes image, struct error **error);

#endif
