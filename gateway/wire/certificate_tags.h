/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_WIRE_CERTIFICATE_TAGS_H
#define RETROGATE_WIRE_CERTIFICATE_TAGS_H

/* Tags of the records (tag, size, data) in the two kinds of text (protocol 11 §2.1, §2.2). For certificate*.c
 * only. */

enum full_tag {
    FULL_KEY = 0x01,
    FULL_EXTERNAL4 = 0x02,
    FULL_LOCAL4 = 0x03,
    FULL_DNS = 0x04,
    FULL_LOCATION = 0x05,
    FULL_NAME = 0x06,
    FULL_CHECKSUM = 0x07,
    FULL_HIDDEN = 0x08,
    FULL_VERSION = 0x09,
    FULL_LOCATOR = 0x0a,
};

enum short_tag {
    SHORT_LOCATION = 0x00,
    SHORT_NAME = 0x01,
    SHORT_LOCATOR = 0x02,
    SHORT_FINGERPRINT = 0x03,
    SHORT_CHECKSUM = 0x04,
    SHORT_HIDDEN = 0x90,
    SHORT_DNS = 0x91,
    SHORT_EXTERNAL4 = 0x92,
    SHORT_LOCAL4 = 0x93,
};

enum {
    CERTIFICATE_VERSION = 0x06,
    CHECKSUM_SIZE = 3,
    CHECKSUM_RECORD_SIZE = 2 + CHECKSUM_SIZE,
    /* Sizes of records: one byte below TWO_BYTES, two below FIVE_BYTES, else FF and a u32. */
    TWO_BYTES = 192,
    FIVE_BYTES = 8384,
};

#endif
