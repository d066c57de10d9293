/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_BASE_SIP_H
#define RETROGATE_BASE_SIP_H

#include <stddef.h>
#include <stdint.h>

/* SipHash-c-d with a 16-byte key, 64-bit result. 1-3 is enough against hash flooding, 2-4 is a PRF. */
uint64_t sip_hash(const uint8_t key[16], const void *data, size_t size, unsigned c, unsigned d);

#endif
