/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_CORE_TEXT_H
#define RETROGATE_CORE_TEXT_H

#include <stdbool.h>
#include <stddef.h>

/* Copies text, cut at a code point where it does not fit; always terminated. */
void text_copy(char *out, size_t size, const char *text);

/* [a-z0-9_-]{1,24}, and not a word that the bridges keep for themselves. */
bool handle_valid(const char *text);
/* A handle made of a display name: lower case, other characters dropped; "contact" when nothing is left. */
void handle_propose(char *out, size_t size, const char *name);

#endif
